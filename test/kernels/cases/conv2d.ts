import fc from 'fast-check';
import { type Conv2dParams, conv2d, conv2dInputGrad, conv2dWeightGrad } from '../../../src/kernels/conv2d.ts';
import { describeCases } from '../case.ts';
import { axis, between, square, windowParams } from './shapes.ts';

const convAxis = axis({ maxKernel: 4, maxStride: 3, maxDilation: 3, isPool: false });

/** Ordinary, grouped and depthwise (one input channel to a group), with any window. */
const params: fc.Arbitrary<Conv2dParams> = fc
  .record({
    batch: fc.oneof({ weight: 9, arbitrary: between(1, 3) }, { weight: 1, arbitrary: fc.constant(0) }),
    groups: fc.constantFrom(1, 1, 1, 2, 3, 5),
    groupIn: fc.oneof(fc.constant(1), between(1, 9)),
    groupOut: fc.oneof(fc.constant(1), between(1, 9)),
    height: convAxis,
    width: convAxis,
  })
  .map(({ batch, groups, groupIn, groupOut, height, width }) => ({
    batch,
    inChannels: groups * groupIn,
    outChannels: groups * groupOut,
    groups,
    ...windowParams(height, width),
  }));

const layer = (
  batch: number,
  inChannels: number,
  outChannels: number,
  window: ReturnType<typeof square>,
  groups = 1,
): Conv2dParams => ({ batch, inChannels, outChannels, groups, ...window });

/** Layers of ResNets, cut down so that the float64 reference stays quick; and grouped and depthwise ones. */
const large: readonly Conv2dParams[] = [
  layer(8, 16, 16, square(32, 3, 1, 1)),
  layer(2, 3, 64, square(37, 7, 2, 3)),
  layer(3, 64, 65, square(9, 3, 1, 1)),
  layer(3, 33, 70, square(14, 1, 2, 0)),
  layer(2, 70, 34, square(13, 3, 2, 1)),
  layer(5, 130, 67, square(7, 1, 1, 0)),
  layer(2, 24, 24, square(15, 3, 2, 1), 24),
  layer(2, 40, 80, square(11, 3, 1, 2, 2), 2),
  layer(1, 1100, 2, square(3, 3, 1, 1)),
  // Few or many channels on either side, for which a device may cut its work differently.
  layer(1, 4, 128, square(130, 1, 1, 0)),
  layer(1, 128, 3, square(129, 1, 1, 0)),
  layer(3, 20, 30, square(17, 3, 1, 1)),
  layer(4, 24, 130, square(16, 1, 1, 0)),
  layer(1, 1824, 128, square(2, 3, 1, 1)),
];

/** Small enough for splits to be seen, and more splits than rows of y. */
const splits = fc.constantFrom(1, 1, 2, 3, 5, 16);

export const conv2dCases = [
  describeCases(conv2d, {
    params: () => params,
    inputs: (data, sizes) => ({ x: data.summands(sizes.x), w: data.summands(sizes.w) }),
    chosen: large.map((size) => [{}, size] as const),
  }),
  describeCases(conv2dInputGrad, {
    params: () => params,
    inputs: (data, sizes) => ({ dy: data.summands(sizes.dy), w: data.summands(sizes.w) }),
    chosen: large.map((size) => [{}, size] as const),
  }),
  describeCases(conv2dWeightGrad, {
    params: () => fc.tuple(params, splits).map(([size, parts]) => ({ ...size, splits: parts })),
    inputs: (data, sizes) => ({ x: data.summands(sizes.x), dy: data.summands(sizes.dy) }),
    chosen: large.map((size, i) => [{}, { ...size, splits: [7, 1, 4][i % 3]! }] as const),
  }),
];
