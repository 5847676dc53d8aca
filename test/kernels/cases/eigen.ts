import fc from 'fast-check';
import { symmetricEigen } from '../../../src/kernels/eigen.ts';
import { describeCases } from '../case.ts';
import type { Data } from '../data.ts';
import { between } from './shapes.ts';

/** HDH with D = diag(1, 2, …, n) and H a reflection at random: eigenvalues far apart, so that eigenvectors are well determined. */
function symmetric(data: Data, n: number): Float32Array {
  const v = Array.from(data.signed(n, 0.1, 1));
  const length = v.reduce((sum, value) => sum + value * value, 0);
  const h = (i: number, j: number) => (i === j ? 1 : 0) - (2 * v[i]! * v[j]!) / length;
  return Float32Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += h(i, k) * (k + 1) * h(j, k);
    return sum;
  });
}

export const eigenCases = [
  describeCases(symmetricEigen, {
    params: () => fc.record({ n: between(1, 24), sweeps: fc.constant(10) }),
    inputs: (data, _sizes, { n }) => ({ matrix: symmetric(data, n) }),
    chosen: [
      [{}, { n: 33, sweeps: 10 }],
      [{}, { n: 64, sweeps: 10 }],
    ],
  }),
];
