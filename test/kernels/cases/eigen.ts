import fc from 'fast-check';
import { symmetricEigen } from '../../../src/kernels/eigen.ts';
import { describeCases } from '../case.ts';
import type { Data } from '../data.ts';
import { between } from './shapes.ts';

/** Q·diag(1, 2, … n)·Q with the reflection Q = 1 − 2·v·vᵀ: eigenvalues apart from each other, so that their vectors are determined. */
function spread(data: Data, n: number): Float32Array {
  const v = data.uniform(n, 0.2, 1);
  const length = Math.hypot(...v);
  const q = (i: number, j: number) => (i === j ? 1 : 0) - 2 * (v[i]! / length) * (v[j]! / length);
  const values = data.places(n, n).map((place) => place + 1);
  // Symmetric to the bit, as the kernel assumes.
  const element = (i: number, j: number) => values.reduce((sum, value, k) => sum + value * q(i, k) * q(j, k), 0);
  return data.floats(n * n, (at) =>
    element(Math.min(Math.floor(at / n), at % n), Math.max(Math.floor(at / n), at % n)),
  );
}

export const eigenCases = [
  describeCases(symmetricEigen, {
    params: () => fc.oneof(between(0, 12), fc.constantFrom(31, 32, 33)).map((n) => ({ n })),
    inputs: (data, _sizes, { n }) => ({ matrix: spread(data, n) }),
    chosen: [
      [{}, { n: 97 }],
      [{}, { n: 130 }],
    ],
  }),
];
