/**
 * The spectral norm of a linear map A that is given as operations: the root of the largest eigenvalue of AᵀA, by Lanczos's iteration
 * (Golub and Van Loan, "Matrix Computations", 10.1), which is power iteration that remembers its path:
 *
 *   w = AᵀA·q_k,  α_k = q_kᵀ·w,  w ← w − α_k·q_k − β_{k−1}·q_{k−1},  β_k = ‖w‖,  q_{k+1} = w/β_k
 *   θ: largest eigenvalue of the tridiagonal T_k of α and β, with eigenvector s;  ‖A‖₂ ≈ √θ
 *
 * AᵀA has an eigenvalue within β_k·|s_k| of θ, which tells when to stop. The vectors lose their orthogonality only as θ converges,
 * and are not made orthogonal again. Aᵀ is the backward pass of A, so A may be a strided convolution with its padding included.
 */
import { grad } from '../../autograd/tape.ts';
import type { Device } from '../../devices/device.ts';
import { getDefaultDevice, tensor } from '../../tensor/create.ts';
import { Random } from '../../tensor/random.ts';
import { scope } from '../../tensor/scope.ts';
import { type Shape, sizeOf } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export interface SpectralNormOptions {
  /** Of the first vector. Default: 0. */
  readonly seed?: number;
  /** Relative, of the norm. Default: 1e-6; no smaller than float32 can tell on a device that computes in it. */
  readonly tolerance?: number;
  /** Default: 1,000. */
  readonly maxSteps?: number;
  readonly device?: Device;
}

export interface SpectralNorm {
  readonly norm: number;
  readonly steps: number;
  /** A singular value lies within this share of `norm`; above the tolerance where the steps ran out. */
  readonly error: number;
}

/** Of `apply`, a linear map from tensors of `inputShape` built from differentiable operations. */
export async function spectralNorm(
  apply: (x: Tensor) => Tensor,
  inputShape: Shape,
  options: SpectralNormOptions = {},
): Promise<SpectralNorm> {
  const { seed = 0, tolerance = 1e-6, maxSteps = 1000, device = getDefaultDevice() } = options;
  const random = new Random(seed).fork('spectral norm');
  const start = Float64Array.from({ length: sizeOf(inputShape) }, () => random.normal());
  const lowest = Math.max(tolerance, device.kind === 'reference' ? 1e-14 : 1e-7);
  let q = times(start, 1 / norm(start));
  let previous: Float64Array = new Float64Array(q.length);
  let beta = 0;
  const [alphas, betas]: [number[], number[]] = [[], []];
  for (let steps = 1; ; steps++) {
    const w = await normalProduct(apply, q, inputShape, device);
    const alpha = q.reduce((sum, value, i) => sum + value * w[i]!, 0);
    for (let i = 0; i < w.length; i++) w[i]! -= alpha * q[i]! + beta * previous[i]!;
    beta = norm(w);
    alphas.push(alpha);
    const theta = largestEigenvalue(alphas, betas);
    if (!(theta > 0)) return { norm: 0, steps, error: 0 };
    // |√λ − √θ| ≤ |λ − θ|/(2√θ), to first order.
    const error = (beta * lastComponent(alphas, betas, theta)) / (2 * theta);
    if (error <= lowest || steps >= maxSteps) return { norm: Math.sqrt(theta), steps, error };
    betas.push(beta);
    [previous, q] = [q, times(w, 1 / beta)];
  }
}

const norm = (vector: Float64Array): number => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
const times = (vector: Float64Array, factor: number): Float64Array => vector.map((value) => value * factor);

/** AᵀA·q. */
async function normalProduct(
  apply: (x: Tensor) => Tensor,
  q: Float64Array,
  shape: Shape,
  device: Device,
): Promise<Float64Array> {
  const product = scope(() => {
    const x = tensor(q, { shape, device, requiresGrad: true });
    const y = apply(x);
    return grad(y, [x], { gradient: y })[0]!;
  });
  const values = Float64Array.from(await product.data());
  product.dispose();
  return values;
}

/** Of the symmetric tridiagonal matrix, by bisection between Gershgorin's bounds (Sturm: all pivots of T − x are negative above it). */
function largestEigenvalue(alphas: readonly number[], betas: readonly number[]): number {
  const reach = (i: number) => (betas[i - 1] ?? 0) + (betas[i] ?? 0);
  let low = Math.max(...alphas);
  let high = Math.max(...alphas.map((alpha, i) => alpha + reach(i)));
  const isAbove = (x: number): boolean => {
    let pivot = -1;
    return alphas.every((alpha, i) => {
      pivot = alpha - x - (i === 0 ? 0 : betas[i - 1]! ** 2 / pivot);
      return pivot < 0;
    });
  };
  for (let middle = (low + high) / 2; low < middle && middle < high; middle = (low + high) / 2) {
    if (isAbove(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** |s_k| of the unit eigenvector to the largest eigenvalue: from the end to the front it grows, which is the stable way. */
function lastComponent(alphas: readonly number[], betas: readonly number[], theta: number): number {
  let [behind, own, squares] = [0, 1, 1];
  for (let i = alphas.length - 1; i > 0; i--) {
    const next = ((theta - alphas[i]!) * own - (betas[i] ?? 0) * behind) / betas[i - 1]!;
    [behind, own] = [own, next];
    squares += next * next;
    if (!Number.isFinite(squares)) return 0;
  }
  return 1 / Math.sqrt(squares);
}
