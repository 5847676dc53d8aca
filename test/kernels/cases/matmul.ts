import fc from 'fast-check';
import { matmul } from '../../../src/kernels/matmul.ts';
import { describeCases } from '../case.ts';
import { between } from './shapes.ts';

const side = fc.oneof(fc.constantFrom(1, 2, 3, 4, 7, 16, 17, 31, 64, 67), between(1, 40));

const params = fc
  .record({
    batch: fc.constantFrom(0, 1, 1, 2, 3),
    m: side,
    n: side,
    k: fc.oneof({ weight: 9, arbitrary: side }, { weight: 1, arbitrary: fc.constant(0) }),
    sharesA: fc.boolean(),
    sharesB: fc.boolean(),
    gap: fc.constantFrom(0, 0, 5),
  })
  .map(({ batch, m, n, k, sharesA, sharesB, gap }) => ({
    batch,
    m,
    n,
    k,
    aBatchStride: sharesA ? 0 : m * k + gap,
    bBatchStride: sharesB ? 0 : k * n + gap,
  }));

/** More than a tile either way; a batch; a classifier's thin product; a dot product; the longest sum that 1e-5 is promised for. */
const large = [
  { batch: 1, m: 130, n: 70, k: 257, aBatchStride: 0, bBatchStride: 0 },
  { batch: 3, m: 65, n: 129, k: 64, aBatchStride: 65 * 64, bBatchStride: 0 },
  { batch: 1, m: 128, n: 5, k: 64, aBatchStride: 0, bBatchStride: 0 },
  { batch: 1, m: 1, n: 1, k: 5003, aBatchStride: 0, bBatchStride: 0 },
  { batch: 1, m: 9, n: 33, k: 10_000, aBatchStride: 0, bBatchStride: 0 },
];

/** Narrow products and one of many elements, for which a device may cut its work differently. */
const shapesOfWork = [
  [
    { transposeA: false, transposeB: true },
    { batch: 1, m: 2003, n: 10, k: 130, aBatchStride: 0, bBatchStride: 0 },
  ],
  [
    { transposeA: true, transposeB: false },
    { batch: 1, m: 30, n: 301, k: 260, aBatchStride: 0, bBatchStride: 0 },
  ],
  [
    { transposeA: false, transposeB: false },
    { batch: 1, m: 301, n: 30, k: 260, aBatchStride: 0, bBatchStride: 0 },
  ],
  [
    { transposeA: true, transposeB: true },
    { batch: 2, m: 140, n: 16_200, k: 3, aBatchStride: 0, bBatchStride: 48_600 },
  ],
] as const;

export const matmulCases = [
  describeCases(matmul, {
    params: () => params,
    inputs: (data, sizes) => ({ a: data.summands(sizes.a), b: data.summands(sizes.b) }),
    chosen: [
      ...[false, true].flatMap((transposeA) =>
        [false, true].flatMap((transposeB) => large.map((size) => [{ transposeA, transposeB }, size] as const)),
      ),
      ...shapesOfWork,
    ],
  }),
];
