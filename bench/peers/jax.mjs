/**
 * jax-js as a peer, on its wasm device: `node jax.mjs eager|jit`, functions as they are or compiled; sometimes the one is faster,
 * sometimes the other, by a factor of ten. Its operations are lazy (every result is waited for), and functions take their arguments
 * over (`.ref` keeps them).
 */
import { readFileSync } from 'node:fs';
import { defaultDevice, init, jit, lax, numpy as np, vjp } from '@jax-js/jax';
import { readFloats, serve } from './serve.mjs';

await init('wasm');
defaultDevice('wasm');

const array = (path, shape) => np.array(readFloats(path)).reshape(shape);

async function finished(result) {
  await result.blockUntilReady();
  return result;
}

/** The function as it is called, on these arrays. */
function calling(f, arrays) {
  const called = process.argv[2] === 'jit' ? jit(f) : f;
  return async () => finished(called(...arrays.map((array) => array.ref)));
}

const read = (result) => result.ref.data();
const free = (result) => result.dispose();

function prepareMatmul({ m, n, k, inputs }) {
  const arrays = [array(inputs.a, [m, k]), array(inputs.b, [k, n])];
  return { compute: calling((a, b) => np.matmul(a, b), arrays), read, free };
}

function prepareConv2d({ pass, shapes, stride, padding, inputs }) {
  const [x, w, dy] = [array(inputs.x, shapes.x), array(inputs.w, shapes.w), array(inputs.dy, shapes.y)];
  const strides = [stride, stride];
  const pads = [
    [padding, padding],
    [padding, padding],
  ];
  const conv = (x, w) => lax.convGeneralDilated(x, w, strides, pads);
  /** The gradient of f at `at`; the forward pass is not needed and, being lazy, not computed. */
  const gradient = (f, at, dy) => {
    const [y, back] = vjp(f, [at]);
    y.dispose();
    const [result] = back(dy);
    back.dispose();
    return result;
  };
  const passes = {
    forward: conv,
    inputGradient: (x, w, dy) => gradient((x) => conv(x, w), x, dy),
    weightGradient: (x, w, dy) => gradient((w) => conv(x, w), w, dy),
  };
  const arrays = pass === 'forward' ? [x, w] : [x, w, dy];
  return { compute: calling(passes[pass], arrays), read, free };
}

const preparations = { matmul: prepareMatmul, conv2d: prepareConv2d };

const manifest = new URL('node_modules/@jax-js/jax/package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
await serve({ version, threads: 1 }, (task) => {
  const prepare = preparations[task.kind];
  if (!prepare) throw new Error(`'${task.kind}' is not written for jax-js`);
  return prepare(task);
});
