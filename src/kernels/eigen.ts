/** Eigenvalues and eigenvectors of a small symmetric matrix. */
import { defineKernel } from './contract.ts';

/**
 * The parallel Jacobi method (Brent & Luk 1985): in each round of a sweep, n/2 disjoint pairs (p, q) are rotated so that their A_pq
 * vanishes; a round-robin tournament gives every pair its turn in n − 1 rounds (n rounded up to even). Convergence is quadratic: eight to ten
 * sweeps leave rounding alone off the diagonal, for any symmetric matrix of up to a few hundred rows.
 *
 *   tan of the angle t = sign(τ)/(|τ| + √(1 + τ²)), τ = (A_qq − A_pp)/(2A_pq);   A ← JᵀAJ,   rows of V ← Jᵀ(rows of V)
 *
 * So A = Vᵀ·diag(values)·V; row i of `vectors` belongs to values[i], in no particular order. `matrix` ends as the diagonal matrix.
 */
export const symmetricEigen = defineKernel({
  name: 'symmetricEigen',
  summary: 'matrix = Vᵀ·diag(values)·V with orthonormal rows of V',
  constants: {},
  params: { n: 'u32', sweeps: 'u32' },
  buffers: {
    matrix: { type: 'f32', access: 'readwrite' },
    values: { type: 'f32', access: 'write' },
    vectors: { type: 'f32', access: 'write' },
  },
  // Rounding adds up over some thousand rotations of every row.
  tolerance: 5e-5,
  sizes: ({ n }) => ({ matrix: n * n, values: n, vectors: n * n }),
  flops: ({ n, sweeps }) => 9 * sweeps * n * n * n,
  reference({ matrix, values, vectors }, { n, sweeps }) {
    vectors.fill(0);
    for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
    const rotateRows = (target: Float64Array, p: number, q: number, c: number, s: number) => {
      for (let j = 0; j < n; j++) {
        const [a, b] = [target[p * n + j]!, target[q * n + j]!];
        target[p * n + j] = c * a - s * b;
        target[q * n + j] = s * a + c * b;
      }
    };
    const rotateColumns = (p: number, q: number, c: number, s: number) => {
      for (let i = 0; i < n; i++) {
        const [a, b] = [matrix[i * n + p]!, matrix[i * n + q]!];
        matrix[i * n + p] = c * a - s * b;
        matrix[i * n + q] = s * a + c * b;
      }
    };
    const players = n + (n % 2);
    const player = (place: number, round: number) => (place === 0 ? 0 : 1 + ((place - 1 + round) % (players - 1)));
    for (let sweep = 0; sweep < sweeps; sweep++) {
      for (let round = 0; round < players - 1; round++) {
        const rotations = Array.from({ length: players / 2 }, (_, pair) => {
          const [a, b] = [player(pair, round), player(players - 1 - pair, round)];
          const [p, q] = [Math.min(a, b), Math.max(a, b)];
          const off = q < n ? matrix[p * n + q]! : 0;
          if (off === 0) return null;
          const tau = (matrix[q * n + q]! - matrix[p * n + p]!) / (2 * off);
          const t = (tau < 0 ? -1 : 1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
          const c = 1 / Math.sqrt(1 + t * t);
          return { p, q, c, s: t * c };
        }).filter((rotation) => rotation !== null);
        for (const { p, q, c, s } of rotations) rotateRows(matrix, p, q, c, s);
        for (const { p, q, c, s } of rotations) rotateColumns(p, q, c, s);
        for (const { p, q, c, s } of rotations) rotateRows(vectors, p, q, c, s);
      }
    }
    for (let i = 0; i < n; i++) values[i] = matrix[i * n + i]!;
  },
});
