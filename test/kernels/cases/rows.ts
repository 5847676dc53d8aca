import fc from 'fast-check';
import { rowPenaltyGrad } from '../../../src/kernels/penalties.ts';
import {
  batchNormDistances,
  layerNorms,
  projectBatchNorm,
  projectRows,
  projectRowsL1,
  rowDistances,
} from '../../../src/kernels/rows.ts';
import { describeCases } from '../case.ts';
import type { Data } from '../data.ts';
import { between } from './shapes.ts';

/** Room for each row and some elements between them that belong to none. */
const arena = fc
  .record({ rowCount: between(1, 40), longest: fc.constantFrom(1, 9, 64, 65, 300) })
  .map(({ rowCount, longest }) => ({ count: rowCount * (longest + 3), rowCount }));

/** Lengths of every kind: below a vector, below a workgroup, of a convolution, of a classifier on a flattened map. */
const LENGTHS = [30_000, 4608, 64, 9, 1];

/** (First element, length) of rows in random order: every other of a length from the list, the others of any. */
function rowTable(data: Data, { count, rowCount }: { count: number; rowCount: number }): Int32Array {
  const room = Math.floor(count / rowCount);
  const lengths = LENGTHS.filter((length) => length <= room);
  return Int32Array.from(
    data.places(rowCount, rowCount).flatMap((place, r) => {
      const length = r % 2 === 0 ? lengths[(r / 2) % lengths.length]! : 1 + data.index(room - 1);
      return [place * room + data.index(room - length + 1), length];
    }),
  );
}

const large = [
  [{}, { count: 64 * 600, rowCount: 64 }],
  [{}, { count: 5 * 5000, rowCount: 5 }],
  [{}, { count: 2 * 40_000, rowCount: 2 }],
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

/** Some rows are inside their ball, some outside, one exactly on it, one has a radius of 0. `least`: of |w|, as the anchors are in 0 … 1. */
const rowInputs =
  (least: number) =>
  (data: Data, sizes: { weights: number; anchors: number }, size: { count: number; rowCount: number }) => {
    const weights = data.uniform(sizes.weights, least, 2);
    const anchors = data.uniform(sizes.anchors, 0, 1);
    const rows = rowTable(data, size);
    const norms = Float32Array.from({ length: size.rowCount }, (_, r) => {
      const [start, length] = [rows[2 * r]!, rows[2 * r + 1]!];
      return weights.subarray(start, start + length).reduce((sum, w, i) => sum + Math.abs(w - anchors[start + i]!), 0);
    });
    const radii = norms.map((norm) => norm * data.pick([0.001, 0.1, 0.6, 0.99, 2]));
    radii[data.index(size.rowCount)] = 0;
    const onTheSphere = data.index(size.rowCount);
    radii[onTheSphere] = norms[onTheSphere]!;
    return { weights, anchors, rows, norms, radii };
  };

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
  describeCases(layerNorms, {
    params: () =>
      fc
        .record({ layerCount: between(1, 12), longest: fc.constantFrom(1, 5, 64, 150) })
        .map(({ layerCount, longest }) => ({ layerCount, rowCount: layerCount * longest })),
    inputs: (data, sizes, { layerCount, rowCount }) => ({
      values: data.uniform(sizes.values, 0, 3),
      layers: Int32Array.from({ length: 2 * layerCount }, (_, i) =>
        i % 2 === 0 ? ((i / 2) * rowCount) / layerCount : rowCount / layerCount,
      ),
    }),
  }),
  describeCases(projectRows, { params: () => arena, inputs: rowInputs(1), chosen: large }),
  // Radii that few, many or almost all elements of a row survive.
  describeCases(projectRowsL1, { params: () => arena, inputs: rowInputs(0), chosen: large }),
  describeCases(rowPenaltyGrad, {
    params: () => arena,
    // Some weights are where their anchors are.
    inputs: (data, sizes, size) => {
      const anchors = data.uniform(sizes.anchors, -1, 1);
      return {
        weights: anchors.map((anchor) => anchor + data.pick([0, 0.5, -0.75])),
        anchors,
        rows: rowTable(data, size),
        factors: data.uniform(sizes.factors, 0, 2),
        gradients: data.uniform(sizes.gradients, 3, 4),
      };
    },
    chosen: (['difference', 'sign'] as const).flatMap((form) => large.map(([, params]) => [{ form }, params] as const)),
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
