/** Eigenvalues and eigenvectors of a symmetric matrix. */
import { defineKernel } from './contract.ts';

/** What one workgroup holds the rotations of. */
export const LARGEST_EIGEN_SIZE = 512;
/** Jacobi's method converges quadratically in the end: six to ten sweeps in practice. */
const MOST_SWEEPS = 30;

/**
 * Jacobi's method (1846; Golub & Van Loan, "Matrix Computations", 8.5): rotations J of two rows and columns p, q, A ← JᵀAJ, each
 * of which makes one element zero,
 *
 *   θ = (A_qq − A_pp)/(2·A_pq),  t = sign(θ)/(|θ| + √(θ² + 1)),  c = 1/√(t² + 1),  s = c·t
 *   row p ← c·row p − s·row q,  row q ← s·row p + c·row q,  the same for columns
 *
 * (computed as corrections, row p − s·(row q + τ·row p) with τ = s/(1 + c), which small angles keep small)
 * over all pairs, sweep by sweep, until no off-diagonal element exceeds the element type's rounding error of the largest of A. The
 * product of the rotations is V, one eigenvector a row: A = Vᵀ·diag(values)·V. In which order pairs come is free, within a device fixed.
 *
 * `matrix` (n, n) is read as symmetric and becomes diag(values), values ascending. Row i of `vectors` (n, n) belongs to values[i], has
 * length 1, and its element of largest magnitude (the first, where two tie) is positive. Equal eigenvalues leave their vectors
 * undetermined within their space. n ≤ 512.
 */
export const symmetricEigen = defineKernel({
  name: 'symmetricEigen',
  summary: 'A = Vᵀ·diag(values)·V with V·Vᵀ = 1, values ascending',
  constants: {},
  params: { n: 'u32' },
  buffers: {
    matrix: { type: 'f32', access: 'readwrite' },
    values: { type: 'f32', access: 'write' },
    vectors: { type: 'f32', access: 'write' },
  },
  // Vectors turn by rounding error × largest eigenvalue / gap, which for evenly spread eigenvalues grows with n.
  tolerance: 1e-4,
  sizes: ({ n }) => ({ matrix: n * n, values: n, vectors: n * n }),
  // Eight sweeps of n²/2 rotations of two rows of A and of V.
  flops: ({ n }) => 8 * (n * n * 0.5) * (12 * n),
  reference({ matrix, values, vectors }, { n }) {
    for (let i = 0; i < n * n; i++) vectors[i] = i % (n + 1) === 0 ? 1 : 0;
    const least = Number.EPSILON * matrix.reduce((most, element) => Math.max(most, Math.abs(element)), 0);
    for (let sweep = 0, rotated = true; rotated && sweep < MOST_SWEEPS; sweep++) {
      rotated = false;
      for (let p = 0; p < n; p++) {
        for (let q = p + 1; q < n; q++) {
          if (Math.abs(matrix[p * n + q]!) <= least) continue;
          rotated = true;
          const theta = (matrix[q * n + q]! - matrix[p * n + p]!) / (2 * matrix[p * n + q]!);
          const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
          const c = 1 / Math.sqrt(t * t + 1);
          for (let i = 0; i < n; i++) rotate(matrix, p * n + i, q * n + i, c, c * t);
          for (let i = 0; i < n; i++) rotate(matrix, i * n + p, i * n + q, c, c * t);
          for (let i = 0; i < n; i++) rotate(vectors, p * n + i, q * n + i, c, c * t);
        }
      }
    }
    const diagonal = Array.from(values, (_, i) => matrix[i * n + i]!);
    const rows = diagonal.map((_, i) => upright(vectors.slice(i * n, (i + 1) * n)));
    const order = diagonal.map((_, i) => i).sort((i, j) => diagonal[i]! - diagonal[j]! || i - j);
    matrix.fill(0);
    for (const [i, from] of order.entries()) {
      values[i] = diagonal[from]!;
      matrix[i * n + i] = diagonal[from]!;
      vectors.set(rows[from]!, i * n);
    }
  },
});

function rotate(x: Float64Array, i: number, j: number, c: number, s: number): void {
  const [a, b] = [x[i]!, x[j]!];
  const tau = s / (1 + c);
  x[i] = a - s * (b + tau * a);
  x[j] = b + s * (a - tau * b);
}

/** Of v and −v the one whose largest element is positive. */
function upright(v: Float64Array): Float64Array {
  const largest = v.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
  return largest < 0 ? v.map((x) => -x) : v;
}
