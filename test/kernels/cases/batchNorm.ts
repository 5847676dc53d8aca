import fc from 'fast-check';
import {
  batchNormApply,
  batchNormGradInput,
  batchNormGradParams,
  batchNormRunning,
  batchNormStats,
} from '../../../src/kernels/batchNorm.ts';
import { describeCases } from '../case.ts';
import { between } from './shapes.ts';

const sizes = {
  batch: between(1, 5),
  channels: fc.oneof(between(1, 9), fc.constantFrom(31, 64, 65)),
  spatial: fc.oneof(between(1, 12), fc.constantFrom(49, 64, 65, 255, 257)),
};
const shape = fc.record(sizes);
const shapeWithEpsilon = fc.record({ ...sizes, epsilon: fc.constantFrom(1e-5, 1e-3) });

const large = [
  { batch: 16, channels: 16, spatial: 1024 },
  { batch: 3, channels: 130, spatial: 49 },
  { batch: 64, channels: 7, spatial: 1 },
];
const chosen = large.map((size) => [{}, { ...size, epsilon: 1e-5 }] as const);

export const batchNormCases = [
  describeCases(batchNormStats, {
    params: () => shape,
    // A mean of up to ten deviations: E[x²] − E[x]² would lose it.
    inputs: (data, { x }) => {
      const shift = 10 * data.next();
      return { x: data.floats(x, () => shift + data.next()) };
    },
    chosen: large.map((size) => [{}, size] as const),
  }),
  describeCases(batchNormApply, {
    params: () => shapeWithEpsilon,
    inputs: (data, { x, mean }) => ({
      x: data.uniform(x, 1, 4),
      mean: data.uniform(mean, -1, 0),
      variance: data.uniform(mean, 0.01, 4),
      gamma: data.uniform(mean, 0.5, 1.5),
      beta: data.uniform(mean, 0.5, 1.5),
    }),
    chosen,
  }),
  describeCases(batchNormRunning, {
    params: () =>
      fc.record({
        channels: between(1, 300),
        momentum: fc.constantFrom(0.1, 0.5, 1),
        correction: fc.constantFrom(1, 8 / 7),
      }),
    inputs: (data, { mean }) => ({
      mean: data.uniform(mean, 0.5, 2),
      variance: data.uniform(mean, 0.5, 2),
      runningMean: data.uniform(mean, 0.5, 2),
      runningVariance: data.uniform(mean, 0.5, 2),
    }),
  }),
  describeCases(batchNormGradParams, {
    params: () => shapeWithEpsilon,
    inputs: (data, { x, mean }) => ({
      x: data.uniform(x, 0, 3),
      dy: data.summands(x),
      mean: data.uniform(mean, -2, -1),
      variance: data.uniform(mean, 0.01, 4),
    }),
    chosen,
  }),
  describeCases(batchNormGradInput, {
    params: () => shapeWithEpsilon,
    inputs: (data, { x, mean }, { batch, spatial }) => {
      const elements = batch * spatial;
      return {
        x: data.uniform(x, -1, 1),
        dy: data.uniform(x, 1, 2),
        mean: data.uniform(mean, -0.5, 0.5),
        variance: data.uniform(mean, 1, 4),
        gamma: data.signed(mean, 0.5, 1.5),
        dGamma: data.signed(mean, 0, 0.3 * elements),
        dBeta: data.signed(mean, 0, 0.3 * elements),
      };
    },
    chosen: chosen.flatMap(([, size]) => [false, true].map((batchStatistics) => [{ batchStatistics }, size] as const)),
  }),
];
