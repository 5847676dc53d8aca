/**
 * Batch normalisation over (N, C, …), per channel; formulas in `src/kernels/batchNorm.ts`.
 *
 *   y = γ·x̂ + β,  x̂ = (x − mean)/√(variance + ε)
 *   →  dγ = Σ dy·x̂,  dβ = Σ dy,  dx = γ/√(variance + ε)·(dy − [batch statistics]·(dβ + x̂·dγ)/M)
 */
import { onceDifferentiable, record } from '../autograd/tape.ts';
import {
  batchNormApply,
  batchNormGradInput,
  batchNormGradParams,
  batchNormRunning,
  batchNormStats,
} from '../kernels/batchNorm.ts';
import { empty } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { shapeText, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface BatchNormOptions {
  readonly gamma: Tensor;
  readonly beta: Tensor;
  readonly runningMean: Tensor;
  readonly runningVariance: Tensor;
  /** Normalise by this batch's statistics and update the running ones; else by the running ones. */
  readonly useBatchStatistics: boolean;
  /** Share of the new statistics in an update of the running ones. PyTorch's default: 0.1. */
  readonly momentum?: number;
  readonly epsilon?: number;
}

/** x (N, C, …) → same shape; all four parameter tensors are (C). */
export function batchNorm(x: Tensor, options: BatchNormOptions): Tensor {
  const { gamma, beta, runningMean, runningVariance, useBatchStatistics, momentum = 0.1, epsilon = 1e-5 } = options;
  const [batch = 0, channels = 0] = x.shape;
  if (x.rank < 2 || [gamma, beta, runningMean, runningVariance].some(({ size }) => size !== channels)) {
    throw new RangeError(
      `batchNorm: x ${shapeText(x.shape)} needs γ, β and statistics of ${channels} channels, not of ${[gamma, beta, runningMean, runningVariance].map(({ size }) => size).join(', ')}`,
    );
  }
  const shape = { batch, channels, spatial: sizeOf(x.shape.slice(2)) };
  let [mean, variance] = [runningMean, runningVariance];
  if (useBatchStatistics) {
    const count = batch * shape.spatial;
    if (count < 2)
      throw new RangeError(
        `batchNorm: x ${shapeText(x.shape)} has ${count} value per channel; batch statistics need two: choose another batch size, or leave out the last batch`,
      );
    mean = empty([channels], 'f32', x.device);
    variance = empty([channels], 'f32', x.device);
    launch(batchNormStats, {}, shape, { x, mean, variance });
    launch(
      batchNormRunning,
      {},
      { channels, momentum, correction: count / (count - 1) },
      { mean, variance, runningMean, runningVariance },
    );
  }
  const params = { ...shape, epsilon };
  const y = empty(x.shape, 'f32', x.device);
  launch(batchNormApply, {}, params, { x, mean, variance, gamma, beta, y });
  return record('batchNorm', [x, gamma, beta], y, [x, mean, variance, gamma], (dy) => {
    const dGamma = empty([channels], 'f32', x.device);
    const dBeta = empty([channels], 'f32', x.device);
    launch(batchNormGradParams, {}, params, { x, dy, mean, variance, dGamma, dBeta });
    const once = (gradient: Tensor) => onceDifferentiable('batchNorm', [x, gamma, dy], gradient);
    let dx: Tensor | null = null;
    if (x.requiresGrad) {
      dx = empty(x.shape, 'f32', x.device);
      launch(batchNormGradInput, { batchStatistics: useBatchStatistics }, params, {
        x,
        dy,
        mean,
        variance,
        gamma,
        dGamma,
        dBeta,
        dx,
      });
    }
    return [dx && once(dx), once(dGamma), once(dBeta)];
  });
}
