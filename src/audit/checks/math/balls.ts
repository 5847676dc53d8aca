/**
 * Distances and projections in float64, from their definitions and by other algorithms than the kernels'. T = W − W⁰:
 *
 *   row-radial      t ← t·min(1, r/‖t‖₁) for every row t
 *   row-l1-exact    t ← sign(t)·max(|t| − θ, 0) with θ found by sorting (Duchi et al. 2008, figure 1)
 *   matrix-radial   T ← T·min(1, r/max_j ‖t_j‖₁)
 *   frobenius       T ← T·min(1, r/‖T‖_F)
 *   diagonal        δ ← δ⁰ + clip(δ − δ⁰, ±r) with δ = γ/√(σ² + 10⁻⁶) of BatchNorm; γ = δ·√(σ² + 10⁻⁶)
 */

export type Numbers = ArrayLike<number>;
export type BallForm = 'row-radial' | 'row-l1-exact' | 'matrix-radial' | 'frobenius';

/** The authors' ε under the root of γ/√(σ² + ε). */
export const DIAGONAL_EPSILON = 1e-6;

/** W and W⁰ of one layer, `rows` rows of equal length one after the other. */
export interface Matrix {
  readonly weights: Numbers;
  readonly anchors: Numbers;
  readonly rows: number;
}

/** (rows) Σ|w − w⁰|, added with Kahan's correction: what is judged must not depend on how long a row is. */
export function rowNorms({ weights, anchors, rows }: Matrix): Float64Array {
  const length = weights.length / rows;
  return Float64Array.from({ length: rows }, (_, row) => {
    let [sum, lost] = [0, 0];
    for (let i = row * length; i < (row + 1) * length; i++) {
      const term = Math.abs(weights[i]! - anchors[i]!) - lost;
      const next = sum + term;
      lost = next - sum - term;
      sum = next;
    }
    return sum;
  });
}

/** √Σ(w − w⁰)². */
export function frobenius({ weights, anchors }: Pick<Matrix, 'weights' | 'anchors'>): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += (weights[i]! - anchors[i]!) ** 2;
  return Math.sqrt(sum);
}

export function largest(values: Numbers): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, values[i]!);
  return most;
}

/** (rows) what the form bounds: each row's own norm, or that of its layer. */
export function boundedNorms(form: BallForm, matrix: Matrix): Float64Array {
  const own = rowNorms(matrix);
  if (form === 'matrix-radial') return own.fill(largest(own));
  return form === 'frobenius' ? own.fill(frobenius(matrix)) : own;
}

/** The closed form. `radii` (rows). */
export function projected(form: BallForm, matrix: Matrix, radii: Numbers): Float64Array {
  const { weights, anchors, rows } = matrix;
  const length = weights.length / rows;
  const norms = boundedNorms(form, matrix);
  const out = Float64Array.from(weights);
  for (let row = 0; row < rows; row++) {
    const radius = radii[row]!;
    if (norms[row]! <= radius) continue;
    const [from, to] = [row * length, (row + 1) * length];
    const moved = Float64Array.from({ length }, (_, i) => weights[from + i]! - anchors[from + i]!);
    const kept = form === 'row-l1-exact' ? softThreshold(moved, radius) : moved.map((t) => (t * radius) / norms[row]!);
    for (let i = from; i < to; i++) out[i] = anchors[i]! + kept[i - from]!;
  }
  return out;
}

/** The point of Σ|t| ≤ radius that is nearest to `moved`, which lies outside. */
export function softThreshold(moved: Float64Array, radius: number): Float64Array {
  const sorted = moved.map(Math.abs).sort().reverse();
  let [sum, theta] = [0, 0];
  for (let k = 0; k < sorted.length; k++) {
    sum += sorted[k]!;
    const candidate = (sum - radius) / (k + 1);
    if (sorted[k]! <= candidate) break;
    theta = candidate;
  }
  return moved.map((t) => Math.sign(t) * Math.max(Math.abs(t) - theta, 0));
}

/** BatchNorm as a diagonal matrix, per channel. */
export interface Diagonal {
  readonly gamma: Numbers;
  readonly variance: Numbers;
  readonly anchorGamma: Numbers;
  readonly anchorVariance: Numbers;
}

const entry = (gamma: number, variance: number): number => gamma / Math.sqrt(variance + DIAGONAL_EPSILON);

/** (channels) |δ − δ⁰|. */
export const diagonalDistances = (layer: Diagonal): Float64Array =>
  Float64Array.from(layer.gamma, (gamma, c) =>
    Math.abs(entry(gamma, layer.variance[c]!) - entry(layer.anchorGamma[c]!, layer.anchorVariance[c]!)),
  );

/** γ after the clip. `radii` (channels). */
export const clippedGamma = (layer: Diagonal, radii: Numbers): Float64Array =>
  Float64Array.from(layer.gamma, (gamma, c) => {
    const anchor = entry(layer.anchorGamma[c]!, layer.anchorVariance[c]!);
    const moved = entry(gamma, layer.variance[c]!) - anchor;
    if (Math.abs(moved) <= radii[c]!) return gamma;
    return (anchor + Math.sign(moved) * radii[c]!) * Math.sqrt(layer.variance[c]! + DIAGONAL_EPSILON);
  });
