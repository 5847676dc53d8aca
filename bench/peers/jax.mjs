/**
 * jax-js as a peer, on its wasm device. Its operations are lazy (every result is waited for), and functions take their arguments
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

async function seconds(compute) {
  const begin = performance.now();
  (await compute()).dispose();
  return (performance.now() - begin) / 1000;
}

/** The faster of the function as it is and of its compiled form, each tried twice (compilation is not counted). */
async function fastest(f, inputs) {
  const compiled = jit(f);
  const variants = [f, compiled].map((g) => async () => finished(g(...inputs.map((input) => input.ref))));
  const times = [];
  for (const variant of variants) {
    await seconds(variant);
    times.push(await seconds(variant));
  }
  return variants[times[0] <= times[1] ? 0 : 1];
}

const read = (result) => result.ref.data();
const free = (result) => result.dispose();

async function prepareMatmul({ m, n, k, inputs }) {
  const compute = await fastest((a, b) => np.matmul(a, b), [array(inputs.a, [m, k]), array(inputs.b, [k, n])]);
  return { compute, read, free };
}

async function prepareConv2d({ pass, shapes, stride, padding, inputs }) {
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
    forward: [conv, [x, w]],
    inputGradient: [(x, w, dy) => gradient((x) => conv(x, w), x, dy), [x, w, dy]],
    weightGradient: [(x, w, dy) => gradient((w) => conv(x, w), w, dy), [x, w, dy]],
  };
  return { compute: await fastest(...passes[pass]), read, free };
}

const preparations = { matmul: prepareMatmul, conv2d: prepareConv2d };

const manifest = new URL('node_modules/@jax-js/jax/package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
await serve({ version, threads: 1 }, (task) => {
  const prepare = preparations[task.kind];
  if (!prepare) throw new Error(`'${task.kind}' is not written for jax-js`);
  return prepare(task);
});
