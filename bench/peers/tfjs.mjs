/** TensorFlow.js as a peer: `node tfjs.mjs wasm|cpu`. Its operations compute when they are called. */
import * as tf from '@tensorflow/tfjs';
import { getThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import { readFloats, serve } from './serve.mjs';
import { prepareTraining } from './tfjsTraining.mjs';

const backend = process.argv[2];
if (!(await tf.setBackend(backend))) throw new Error(`tfjs has no backend '${backend}' here`);
await tf.ready();

const tensor = (path, shape) => tf.tensor(readFloats(path), shape);
const free = (result) => result.dispose();

/** Runs `body` and frees what it made on the way to its result. */
const computing = (body) => async () => tf.tidy(body);

function prepareMatmul({ m, n, k, inputs }) {
  const a = tensor(inputs.a, [m, k]);
  const b = tensor(inputs.b, [k, n]);
  return { compute: computing(() => tf.matMul(a, b)), read: (y) => y.data(), free };
}

const toNhwc = (x) => tf.tidy(() => tf.transpose(x, [0, 2, 3, 1]));
const toNchw = (x) => tf.tidy(() => tf.transpose(x, [0, 3, 1, 2]));
/** (out, in, h, w) → (h, w, in, out), and back. */
const toHwio = (w) => tf.tidy(() => tf.transpose(w, [2, 3, 1, 0]));
const toOihw = (w) => tf.tidy(() => tf.transpose(w, [3, 2, 0, 1]));

function prepareConv2d({ pass, shapes, stride, padding, inputs }) {
  const x = toNhwc(tensor(inputs.x, shapes.x));
  const w = toHwio(tensor(inputs.w, shapes.w));
  const dy = toNhwc(tensor(inputs.dy, shapes.y));
  const forward = (x, w) => tf.conv2d(x, w, stride, padding);
  const reading = (back) => async (result) => {
    const moved = back(result);
    const values = await moved.data();
    moved.dispose();
    return values;
  };
  switch (pass) {
    case 'forward':
      return { compute: computing(() => forward(x, w)), read: reading(toNchw), free };
    case 'inputGradient': {
      // What tf.grad calls for a convolution, without the forward pass that it would repeat.
      const inputGradient = () => tf.conv2dTranspose(dy, w, x.shape, stride, padding);
      return { compute: computing(inputGradient), read: reading(toNchw), free };
    }
    case 'weightGradient': {
      const convInfo = { strides: stride, pad: padding, dataFormat: 'NHWC', dimRoundingMode: undefined };
      const attributes = { ...convInfo, filterShape: w.shape };
      const weightGradient = () => tf.engine().runKernel('Conv2DBackpropFilter', { x, dy }, attributes);
      return { compute: computing(weightGradient), read: reading(toOihw), free };
    }
    default:
      throw new Error(`no pass '${pass}'`);
  }
}

const preparations = { matmul: prepareMatmul, conv2d: prepareConv2d, training: (task) => prepareTraining(tf, task) };

const threads = backend === 'wasm' ? getThreadsCount() : 1;
let memoryOfTask = null;
await serve({ version: tf.version.tfjs, threads }, async (task) => {
  // Frees the tensors of the task before.
  if (memoryOfTask) tf.engine().endScope();
  memoryOfTask = task;
  tf.engine().startScope();
  return preparations[task.kind](task);
});
