/** One line per operation: its gradient against central differences in float64, and the gradient of its gradient. */
import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import * as ops from '../../src/ops/index.ts';
import { tensor } from '../../src/tensor/create.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** Distinct values in ±1.2, at least 0.01 from zero and from each other for up to 100 elements. */
const any = (...shape: number[]) => spread(shape, (u) => (u < 0.5 ? -1.2 + 2.3 * u : -1.1 + 2.3 * u));
const positive = (...shape: number[]) => spread(shape, (u) => 0.3 + 2 * u);

function spread(shape: number[], place: (u: number) => number) {
  const size = shape.reduce((a, b) => a * b, 1);
  // Multiples of the golden ratio modulo 1 are evenly spread and never equal.
  return {
    shape,
    data: Array.from({ length: size }, (_, i) => place((0.31 + (i + shape.length) * 0.6180339887498949) % 1)),
  };
}

const product = (a: Tensor, b: Tensor) => ops.matmul(a, b);
const labels = (x: Tensor) => tensor(new Int32Array([2, 0, 1]), { device: x.device });

const once: Record<string, [(...inputs: Tensor[]) => Tensor, ReturnType<typeof any>[]]> = {
  neg: [ops.neg, [any(5)]],
  abs: [ops.abs, [any(5)]],
  square: [ops.square, [any(5)]],
  sqrt: [ops.sqrt, [positive(5)]],
  rsqrt: [ops.rsqrt, [positive(5)]],
  reciprocal: [ops.reciprocal, [positive(5)]],
  exp: [ops.exp, [any(5)]],
  log: [ops.log, [positive(5)]],
  sin: [ops.sin, [any(5)]],
  cos: [ops.cos, [any(5)]],
  tanh: [ops.tanh, [any(5)]],
  sigmoid: [ops.sigmoid, [any(5)]],
  silu: [ops.silu, [any(5)]],
  relu: [ops.relu, [any(3, 4)]],
  affine: [(x) => ops.affine(x, -1.5, 0.3), [any(5)]],
  clamp: [(x) => ops.clamp(x, -0.5, 0.5), [any(7)]],
  'pow by a number': [(x) => ops.pow(x, 3), [any(5)]],
  'pow by a tensor': [ops.pow, [positive(3, 4), any(4)]],
  'add, broadcasting': [ops.add, [any(2, 3, 1), any(3, 4)]],
  'sub, broadcasting': [ops.sub, [any(3, 1), any(2, 1, 4)]],
  'mul, broadcasting': [ops.mul, [any(2, 3), any(3)]],
  'div, broadcasting': [ops.div, [any(2, 3), positive(2, 1)]],
  'mul with itself': [(x) => ops.mul(x, x), [any(4)]],
  maximum: [ops.maximum, [any(3, 4), any(4)]],
  minimum: [ops.minimum, [any(3, 4), any(4)]],
  'sum of an inner axis': [(x) => ops.sum(x, 1), [any(2, 3, 4)]],
  'sum of separate axes': [(x) => ops.sum(x, [0, 2], { keepDims: true }), [any(2, 3, 4)]],
  mean: [(x) => ops.mean(x, [1, 2]), [any(2, 3, 4)]],
  variance: [(x) => ops.variance(x, 1), [any(3, 4)]],
  max: [(x) => ops.max(x, 1), [any(3, 4)]],
  min: [(x) => ops.min(x, [0, 2]), [any(2, 3, 4)]],
  reshape: [(x) => ops.reshape(x, [4, -1]), [any(2, 6)]],
  flatten: [(x) => ops.flatten(x, 1), [any(2, 3, 2)]],
  permute: [(x) => ops.permute(x, [2, 0, 1]), [any(2, 3, 4)]],
  transpose: [(x) => ops.transpose(x), [any(2, 3, 4)]],
  broadcastTo: [(x) => ops.broadcastTo(x, [2, 3, 4]), [any(3, 1)]],
  'slice with a step': [(x) => ops.slice(x, [{ start: 1 }, {}, { start: 0, step: 2 }]), [any(3, 2, 5)]],
  pad: [
    (x) =>
      ops.pad(x, [
        [0, 1],
        [2, 0],
      ]),
    [any(2, 3)],
  ],
  concat: [(a, b) => ops.concat([a, b], 1), [any(2, 3), any(2, 2)]],
  stack: [(a, b) => ops.stack([a, b], 1), [any(2, 3), any(2, 3)]],
  'matmul NN': [product, [any(3, 4), any(4, 2)]],
  'matmul NT': [(a, b) => ops.matmul(a, b, { transposeB: true }), [any(3, 4), any(2, 4)]],
  'matmul TN': [(a, b) => ops.matmul(a, b, { transposeA: true }), [any(4, 3), any(4, 2)]],
  'matmul TT': [(a, b) => ops.matmul(a, b, { transposeA: true, transposeB: true }), [any(4, 3), any(2, 4)]],
  'matmul, batched': [product, [any(2, 3, 2), any(2, 2, 3)]],
  'matmul, one matrix for a batch': [product, [any(3, 2, 2), any(2, 3)]],
  'matmul, partial broadcast': [product, [any(2, 1, 2, 2), any(3, 2, 2)]],
  'matmul of vectors': [product, [any(4), any(4)]],
  linear: [ops.linear, [any(2, 3), any(4, 3), any(4)]],
  conv2d: [
    (x, w, b) => ops.conv2d(x, w, { bias: b, stride: 2, padding: 1 }),
    [any(2, 2, 5, 4), any(3, 2, 3, 3), any(3)],
  ],
  'conv2d, dilated': [
    (x, w) => ops.conv2d(x, w, { dilation: [2, 1], padding: [2, 0] }),
    [any(1, 2, 4, 4), any(2, 2, 3, 2)],
  ],
  'conv2d, grouped': [(x, w) => ops.conv2d(x, w, { groups: 2, padding: 1 }), [any(1, 4, 3, 3), any(2, 2, 3, 3)]],
  'conv2d, depthwise': [
    (x, w) => ops.conv2d(x, w, { groups: 3, stride: 2, padding: 1 }),
    [any(1, 3, 4, 4), any(3, 1, 3, 3)],
  ],
  avgPool2d: [(x) => ops.avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }), [any(1, 2, 5, 5)]],
  'avgPool2d without padding in the mean': [
    (x) => ops.avgPool2d(x, { kernelSize: 2, stride: 2, padding: 1, countPadding: false, ceilMode: true }),
    [any(1, 2, 4, 3)],
  ],
  'adaptiveAvgPool2d to 1': [(x) => ops.adaptiveAvgPool2d(x, 1), [any(2, 2, 3, 3)]],
  'adaptiveAvgPool2d to 2x3': [(x) => ops.adaptiveAvgPool2d(x, [2, 3]), [any(1, 2, 5, 4)]],
  softmax: [(x) => ops.softmax(x), [any(3, 4)]],
  logSoftmax: [(x) => ops.logSoftmax(x, 0), [any(3, 4)]],
  dropout: [(x) => ops.dropout(x, 0.4, 7), [any(4, 5)]],
  'maxPool2d, overlapping': [(x) => ops.maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }), [any(1, 2, 6, 5)]],
  crossEntropy: [(x) => ops.crossEntropy(x, labels(x)), [any(3, 4)]],
  'crossEntropy, smoothed': [
    (x) => ops.crossEntropy(x, labels(x), { labelSmoothing: 0.1, reduction: 'sum' }),
    [any(3, 4)],
  ],
  'batchNorm, batch statistics': [
    (x, gamma, beta) => normalise(x, gamma, beta, true),
    [any(3, 2, 2, 2), any(2), any(2)],
  ],
  'batchNorm, fixed statistics': [
    (x, gamma, beta) => normalise(x, gamma, beta, false),
    [any(3, 2, 2, 2), any(2), any(2)],
  ],
};

function normalise(x: Tensor, gamma: Tensor, beta: Tensor, useBatchStatistics: boolean): Tensor {
  const runningMean = tensor([0.1, -0.2], { device: x.device });
  const runningVariance = tensor([0.8, 1.3], { device: x.device });
  return ops.batchNorm(x, { gamma, beta, runningMean, runningVariance, useBatchStatistics });
}

test('powers have the gradients of PyTorch at their corners', async () => {
  const device = new ReferenceDevice();
  const base = tensor([0, 0, 2], { device, requiresGrad: true });
  const exponent = tensor([0, 3, 0], { device, requiresGrad: true });
  ops.pow(base, exponent).sum().backward();
  ops.pow(base, 0).sum().backward();
  expect(Array.from(await base.grad!.data())).toEqual([0, 0, 0]);
  expect(Array.from(await exponent.grad!.data())).toEqual([0, 0, Math.log(2)]);
});

describe('geometry that means nothing is refused, with its operation and option', () => {
  const device = new ReferenceDevice();
  const image = tensor(new Float64Array(16), { shape: [1, 1, 4, 4], device });
  const kernel = tensor(new Float64Array(4), { shape: [1, 1, 2, 2], device });
  const cases: Record<string, () => unknown> = {
    'conv2d: stride is (1.5, 1.5)': () => ops.conv2d(image, kernel, { stride: 1.5 }),
    'conv2d: padding is (-1, -1)': () => ops.conv2d(image, kernel, { padding: -1 }),
    'conv2d: dilation is (0, 0)': () => ops.conv2d(image, kernel, { dilation: 0 }),
    'conv2d: bias (2) for 1 output channels': () => ops.conv2d(image, kernel, { bias: tensor([1, 2], { device }) }),
    'maxPool2d: stride is (0, 0)': () => ops.maxPool2d(image, { kernelSize: 2, stride: 0 }),
    'maxPool2d: a window over x (4, 1, 1, 1) covers padding alone': () =>
      ops.maxPool2d(image.slice([{}, {}, {}, { end: 1 }]).reshape([4, 1, 1, 1]), {
        kernelSize: 2,
        padding: 1,
        dilation: 2,
      }),
    'pad: [[-1, 0]]': () => ops.pad(image, [[-1, 0]]),
    'linear: x (1, 1, 4, 4), weight (1, 1, 2, 2)': () => ops.linear(image, kernel),
  };
  for (const [message, call] of Object.entries(cases)) test(message, () => expect(call).toThrow(message));
});

describe('the gradient of', () => {
  for (const [name, [f, inputs]] of Object.entries(once)) {
    test(name, async () => {
      expect(await gradcheck(f, inputs)).toBeLessThan(1e-6);
    });
  }
});

const hasNoSecondDerivative = ['maxPool2d', 'crossEntropy', 'batchNorm'];
/** A fixed curve through the output, so that the first gradient depends on the inputs even where f is linear. */
const bent = (y: Tensor) => y.mul(y).mul(y).sum();

describe('the gradient of the gradient of', () => {
  for (const [name, [f, inputs]] of Object.entries(once)) {
    if (hasNoSecondDerivative.some((prefix) => name.startsWith(prefix))) {
      test(`${name} is refused by name`, async () => {
        const second = (...xs: Tensor[]) => grad(bent(f(...xs)), [xs[0]!], { createGraph: true })[0]!;
        await expect(gradcheck(second, inputs)).rejects.toThrow('has no second derivative');
      });
      continue;
    }
    test(name, async () => {
      const first = (...xs: Tensor[]) =>
        ops.concat(grad(bent(f(...xs)), xs, { createGraph: true }).map((g) => g.reshape([-1])));
      expect(await gradcheck(first, inputs, { tolerance: 1e-5 })).toBeLessThan(1e-5);
    });
  }
});
