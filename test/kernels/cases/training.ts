/** The loss, random numbers and the optimiser. */
import fc from 'fast-check';
import { softmaxCrossEntropy, softmaxCrossEntropyGrad } from '../../../src/kernels/crossEntropy.ts';
import { adamUpdate, averageWeights, BLOCK, clipGradients, sgdUpdate } from '../../../src/kernels/optimizer.ts';
import { randomUniform } from '../../../src/kernels/random.ts';
import { describeCases } from '../case.ts';
import type { Data } from '../data.ts';
import { between, count } from './shapes.ts';

const rowsOfLogits = fc.record({
  rows: between(0, 40),
  classes: fc.oneof(between(2, 12), fc.constantFrom(64, 100, 257)),
  smoothing: fc.constantFrom(0, 0.1),
});
const chosenRows = [
  [{}, { rows: 130, classes: 1000, smoothing: 0.1 }],
  [{}, { rows: 500, classes: 10, smoothing: 0 }],
] as const;

/** Of order one, or (in whole cases) around 1000, where exp overflows unless the largest is taken out first. */
function logits(data: Data, length: number): Float32Array {
  const isLarge = data.next() < 0.3;
  return isLarge ? data.uniform(length, 900, 1100) : data.uniform(length, -1, 1);
}

/** Every eighth case has a label outside of the classes in it. */
function labels(data: Data, rows: number, classes: number): Int32Array {
  const chosen = data.integers(rows, 0, classes - 1);
  if (rows > 0 && data.next() < 0.125) chosen[data.index(rows)] = data.pick([-1, classes]);
  return chosen;
}

/** Frozen blocks among the others, and no decay on some. */
function settings(data: Data, length: number): Float32Array {
  return data.floats(length, (i) => (i % 2 === 0 ? data.pick([0, 1, 1, 0.1]) : data.pick([0, 5e-4, 0.1])));
}

export const trainingCases = [
  describeCases(softmaxCrossEntropy, {
    params: () => rowsOfLogits,
    inputs: (data, sizes, { rows, classes }) => ({
      logits: logits(data, sizes.logits),
      labels: labels(data, rows, classes),
    }),
    chosen: chosenRows,
  }),
  describeCases(softmaxCrossEntropyGrad, {
    params: () => rowsOfLogits,
    inputs: (data, sizes, { rows, classes }) => ({
      logits: logits(data, sizes.logits),
      labels: labels(data, rows, classes),
      dLosses: data.signed(rows, 0.1, 1),
    }),
    chosen: chosenRows,
  }),
  describeCases(randomUniform, {
    params: () => fc.record({ count, seed: between(0, 2 ** 32 - 1), stream: between(0, 2 ** 32 - 1) }),
    inputs: () => ({}),
    chosen: [[{}, { count: 70_001, seed: 0, stream: 0 }]],
  }),
  describeCases(sgdUpdate, {
    params: () =>
      fc.record({
        count,
        learningRate: fc.constantFrom(0.001, 0.1),
        momentum: fc.constantFrom(0, 0.9),
        dampening: fc.constantFrom(0, 0.5),
        isFirstStep: between(0, 1),
      }),
    // The velocity before the first step is whatever the memory held.
    inputs: (data, sizes, { isFirstStep }) => ({
      weights: data.uniform(sizes.weights, 0.5, 2),
      gradients: data.uniform(sizes.gradients, 0.5, 2),
      velocity: isFirstStep ? new Float32Array(sizes.velocity).fill(Number.NaN) : data.uniform(sizes.velocity, 0.5, 2),
      settings: settings(data, sizes.settings),
    }),
    chosen: [
      [{ nesterov: false }, { count: 40 * BLOCK, learningRate: 0.1, momentum: 0.9, dampening: 0, isFirstStep: 0 }],
      [{ nesterov: true }, { count: 40 * BLOCK, learningRate: 0.1, momentum: 0.9, dampening: 0, isFirstStep: 0 }],
    ],
  }),
  describeCases(adamUpdate, {
    params: () =>
      fc.record({
        count,
        learningRate: fc.constantFrom(0.001, 0.1),
        stepSize: fc.constantFrom(0.0005, 0.03),
        beta1: fc.constantFrom(0, 0.9),
        beta2: fc.constantFrom(0.99, 0.999),
        share1: fc.constantFrom(1, 0.1),
        share2: fc.constantFrom(0.01, 0.001),
        epsilon: fc.constantFrom(1e-8, 1e-3),
      }),
    inputs: (data, sizes) => ({
      weights: data.uniform(sizes.weights, 0.5, 2),
      gradients: data.uniform(sizes.gradients, 0.5, 2),
      mean: data.uniform(sizes.mean, 0.5, 2),
      square: data.uniform(sizes.square, 0.5, 2),
      largest: data.uniform(sizes.largest, 0.5, 2),
      settings: settings(data, sizes.settings),
    }),
    chosen: [true, false].map((amsgrad) => [
      { amsgrad, decoupled: !amsgrad },
      {
        count: 40 * BLOCK + 3,
        learningRate: 0.1,
        stepSize: 0.01,
        beta1: 0.9,
        beta2: 0.999,
        share1: 0.1,
        share2: 0.001,
        epsilon: 1e-7,
      },
    ]),
  }),
  describeCases(clipGradients, {
    params: () => fc.record({ count, maxNorm: fc.constantFrom(0, 0.5, 10) }),
    inputs: (data, sizes) => ({
      gradients: data.signed(sizes.gradients, 0.1, 1),
      norm: Float32Array.of(data.pick([0, 0.25, 3])),
    }),
    chosen: [[{}, { count: 70_001, maxNorm: 1 }]],
  }),
  describeCases(averageWeights, {
    params: () => fc.record({ count, share: fc.constantFrom(0, 0.001, 1) }),
    inputs: (data, sizes) => ({
      average: data.uniform(sizes.average, 0.5, 2),
      weights: data.uniform(sizes.weights, 0.5, 2),
    }),
    chosen: [[{}, { count: 70_001, share: 0.01 }]],
  }),
];
