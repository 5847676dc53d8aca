/**
 * A ResNet-20 training step in TensorFlow.js: its own convolutions, batch normalisation from tf.moments, SGD with momentum. The wasm
 * backend lacks the gradient of a convolution's weights, so that is written as the convolution that it is (x and dy change
 * roles: channels become images, images become channels).
 */
import { readFloats } from './serve.mjs';

const EPSILON = 1e-5;
const STAGES = [
  ['layer1', 16, 1],
  ['layer2', 32, 2],
  ['layer3', 64, 2],
];
const BLOCKS = 3;

/** dw (h, w, in, out) of a convolution of x (N, H, W, in) with `padding` and `stride`, from dy (N, H', W', out). */
function weightGradient(tf, x, dy, [height, width], stride, padding) {
  const images = tf.transpose(x, [3, 1, 2, 0]);
  const filter = tf.transpose(dy, [1, 2, 0, 3]);
  const sums = tf.conv2d(images, filter, 1, padding, 'NHWC', stride);
  return tf.transpose(tf.slice(sums, [0, 0, 0, 0], [-1, height, width, -1]), [1, 2, 0, 3]);
}

function conv(tf, x, w, stride) {
  return tf.customGrad((x, w, save) => {
    save([x, w]);
    const gradFunc = (dy, [x, w]) => [
      tf.conv2dTranspose(dy, w, x.shape, stride, 1),
      weightGradient(tf, x, dy, w.shape, stride, 1),
    ];
    return { value: tf.conv2d(x, w, stride, 1), gradFunc };
  })(x, w);
}

function batchNorm(tf, x, parameters, name) {
  const { mean, variance } = tf.moments(x, [0, 1, 2]);
  return tf.batchNorm(x, mean, variance, parameters[`${name}.bias`], parameters[`${name}.weight`], EPSILON);
}

/** Every second pixel, and channels of zeros before and after. */
function shortcut(tf, x, stride, channels) {
  const inChannels = x.shape[3];
  if (inChannels === channels) return x;
  const before = Math.floor((channels - inChannels) / 2);
  const pixels = tf.avgPool(x, 1, stride, 'valid');
  return tf.pad(pixels, [
    [0, 0],
    [0, 0],
    [0, 0],
    [before, channels - inChannels - before],
  ]);
}

function logits(tf, images, parameters) {
  const layer = (x, conv1, bn, stride) =>
    batchNorm(tf, conv(tf, x, parameters[`${conv1}.weight`], stride), parameters, bn);
  let x = tf.relu(layer(images, 'conv1', 'bn1', 1));
  for (const [stage, channels, firstStride] of STAGES) {
    for (let i = 0; i < BLOCKS; i++) {
      const stride = i === 0 ? firstStride : 1;
      const block = `${stage}.${i}`;
      const hidden = tf.relu(layer(x, `${block}.conv1`, `${block}.bn1`, stride));
      const residual = layer(hidden, `${block}.conv2`, `${block}.bn2`, 1);
      x = tf.relu(tf.add(residual, shortcut(tf, x, stride, channels)));
    }
  }
  const features = tf.mean(x, [1, 2]);
  return tf.add(tf.matMul(features, parameters['linear.weight'], false, true), parameters['linear.bias']);
}

/** Convolution weights are (out, in, h, w) in the files and (h, w, in, out) here. */
const toHere = (tf, w) => (w.rank === 4 ? tf.transpose(w, [2, 3, 1, 0]) : w.clone());
const toFile = (tf, w) => (w.rank === 4 ? tf.transpose(w, [3, 2, 0, 1]) : w);

/** `read` gives the loss and all parameters, in the order of task.parameters. */
export function prepareTraining(tf, task) {
  const { batch, side, classes, inputs, parameters: specs, learningRate, momentum } = task;
  const values = readFloats(inputs.parameters);
  const parameters = {};
  let at = 0;
  for (const { name, shape } of specs) {
    const size = shape.reduce((product, extent) => product * extent, 1);
    parameters[name] = tf.tidy(() => tf.variable(toHere(tf, tf.tensor(values.subarray(at, at + size), shape))));
    at += size;
  }
  const images = tf.tidy(() =>
    tf.transpose(tf.tensor(readFloats(inputs.images), [batch, 3, side, side]), [0, 2, 3, 1]),
  );
  const labels = tf.tidy(() => tf.oneHot(tf.cast(tf.tensor(readFloats(inputs.labels)), 'int32'), classes).toFloat());
  const optimizer = tf.train.momentum(learningRate, momentum);
  const lossOf = () => tf.losses.softmaxCrossEntropy(labels, logits(tf, images, parameters));
  const variables = specs.map(({ name }) => parameters[name]);
  return {
    compute: async () => optimizer.minimize(lossOf, true, variables),
    read: async (loss) => {
      const flat = tf.tidy(() => tf.concat([loss.reshape([1]), ...variables.map((v) => toFile(tf, v).reshape([-1]))]));
      return flat.data();
    },
    free: (loss) => loss.dispose(),
  };
}
