import fc from 'fast-check';
import { avgPool2d, avgPool2dGrad, maxPool2d, maxPool2dGrad, type PoolParams } from '../../../src/kernels/pool.ts';
import { describeCases } from '../case.ts';
import type { Data } from '../data.ts';
import { axis, between, square, windowParams } from './shapes.ts';

const params = (maxDilation: number): fc.Arbitrary<PoolParams> => {
  const side = axis({ maxKernel: 4, maxStride: 4, maxDilation, isPool: true });
  const planes = fc.oneof({ weight: 9, arbitrary: between(1, 7) }, { weight: 1, arbitrary: fc.constant(0) });
  return fc.record({ planes, height: side, width: side }).map(({ planes, height, width }) => ({
    planes,
    ...windowParams(height, width),
  }));
};

/** ResNet's overlapping pool (and at an odd size), and the average over a whole plane. */
const large: readonly PoolParams[] = [
  { planes: 12, ...square(32, 3, 2, 1) },
  { planes: 5, ...square(57, 3, 2, 1) },
  { planes: 66, ...square(8, 8, 1, 0) },
];

/** For each window some place inside it, as a maximum pool would have recorded. */
function someMaxima(data: Data, p: PoolParams): Int32Array {
  const inside = (i: number, stride: number, kernel: number, dilation: number, padding: number, length: number) => {
    const first = i * stride - padding;
    return data.pick(
      Array.from({ length: kernel }, (_, k) => first + k * dilation).filter((at) => at >= 0 && at < length),
    );
  };
  const indices = new Int32Array(p.planes * p.outHeight * p.outWidth);
  return indices.map((_, at) => {
    const j = at % p.outWidth;
    const i = Math.floor(at / p.outWidth) % p.outHeight;
    const h = inside(i, p.strideHeight, p.kernelHeight, p.dilationHeight, p.paddingHeight, p.inHeight);
    const w = inside(j, p.strideWidth, p.kernelWidth, p.dilationWidth, p.paddingWidth, p.inWidth);
    return h * p.inWidth + w;
  });
}

const chosenAverages = large.flatMap((size) => [false, true].map((countPadding) => [{ countPadding }, size] as const));

export const poolCases = [
  describeCases(maxPool2d, {
    params: () => params(3),
    inputs: (data, sizes) => ({ x: data.next() < 0.5 ? data.levels(sizes.x) : data.uniform(sizes.x, -3, -1) }),
    chosen: large.map((size) => [{}, size] as const),
  }),
  describeCases(maxPool2dGrad, {
    params: () => params(3),
    inputs: (data, sizes, size) => ({ dy: data.uniform(sizes.dy, 0.1, 1), indices: someMaxima(data, size) }),
    chosen: large.map((size) => [{}, size] as const),
  }),
  describeCases(avgPool2d, {
    params: () => params(1),
    inputs: (data, sizes) => ({ x: data.summands(sizes.x) }),
    chosen: chosenAverages,
  }),
  describeCases(avgPool2dGrad, {
    params: () => params(1),
    inputs: (data, sizes) => ({ dy: data.summands(sizes.dy) }),
    chosen: chosenAverages,
  }),
];
