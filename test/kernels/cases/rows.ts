import fc from 'fast-check';
import { batchNormDistances, projectBatchNorm, projectRows, rowDistances } from '../../../src/kernels/rows.ts';
import { describeCases } from '../case.ts';
import type { Data } from '../data.ts';
import { between } from './shapes.ts';

/** Room for each row and some elements between them that belong to none. */
const arena = fc
  .record({ rowCount: between(1, 40), longest: fc.constantFrom(1, 9, 64, 65, 300) })
  .map(({ rowCount, longest }) => ({ count: rowCount * (longest + 3), rowCount }));

/** (First element, length) of rows of different lengths, in random order. */
function rowTable(data: Data, { count, rowCount }: { count: number; rowCount: number }): Int32Array {
  const room = Math.floor(count / rowCount);
  return Int32Array.from(
    data.places(rowCount, rowCount).flatMap((place) => {
      const length = 1 + data.index(room - 1);
      return [place * room + data.index(room - length + 1), length];
    }),
  );
}

const large = [
  [{}, { count: 64 * 600, rowCount: 64 }],
  [{}, { count: 5 * 5000, rowCount: 5 }],
] as const;

const channels = fc
  .record({ channels: between(1, 200), spare: between(0, 70), epsilon: fc.constantFrom(1e-5, 1e-3) })
  .map(({ channels, spare, epsilon }) => ({
    count: channels + spare,
    varianceCount: channels + 2 * spare,
    channels,
    epsilon,
  }));

type Channels = { readonly count: number; readonly varianceCount: number; readonly channels: number };

/** Scales far enough from the anchors' that their difference does not cancel. */
function channelInputs(data: Data, { count, varianceCount, channels }: Channels) {
  const scales = data.places(channels, count);
  const variances = data.places(channels, varianceCount);
  return {
    weights: data.uniform(count, 1.5, 3),
    anchors: data.uniform(count, -0.5, 0.5),
    variances: data.uniform(varianceCount, 0.5, 0.8),
    anchorVariances: data.uniform(varianceCount, 0.5, 0.8),
    table: Int32Array.from(scales.flatMap((place, c) => [place, variances[c]!])),
  };
}

export const rowCases = [
  describeCases(rowDistances, {
    params: () => arena,
    inputs: (data, sizes, size) => ({
      weights: data.signed(sizes.weights, 0, 1),
      anchors: data.signed(sizes.anchors, 0, 1),
      rows: rowTable(data, size),
    }),
    chosen: large,
  }),
  describeCases(projectRows, {
    params: () => arena,
    // Some rows are inside their ball, some outside, one exactly on it.
    inputs: (data, sizes, size) => {
      const l1 = data.uniform(size.rowCount, 0.5, 2);
      const radii = data.uniform(size.rowCount, 0.5, 2);
      radii[data.index(size.rowCount)] = 0;
      const onTheSphere = data.index(size.rowCount);
      radii[onTheSphere] = l1[onTheSphere]!;
      return {
        weights: data.uniform(sizes.weights, 1, 2),
        anchors: data.uniform(sizes.anchors, 0, 1),
        rows: rowTable(data, size),
        l1,
        radii,
      };
    },
    chosen: large,
  }),
  describeCases(batchNormDistances, {
    params: () => channels,
    inputs: (data, _sizes, size) => channelInputs(data, size),
  }),
  describeCases(projectBatchNorm, {
    params: () => channels,
    inputs: (data, _sizes, size) => ({
      ...channelInputs(data, size),
      radii: data.floats(size.channels, () => data.pick([0, 0.05, 0.3, 9])),
    }),
  }),
];
