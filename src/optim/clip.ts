/** Gradients kept within bounds, on the device: nothing is read back. */
import { clipGradients } from '../kernels/optimizer.ts';
import { add, sqrt, square } from '../ops/elementwise.ts';
import { sum } from '../ops/reduce.ts';
import { Arena } from '../tensor/arena.ts';
import { launch } from '../tensor/launch.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** The L2 norm of all gradients of the arenas that these parameters live in, a scalar: of all of a model's, for a model's. */
export function gradientNorm(parameters: readonly Tensor[]): Tensor {
  const squares = Arena.of(parameters).map((arena) => sum(square(arena.gradients())));
  return sqrt(squares.reduce((all, own) => add(all, own)));
}

/**
 * Scales the gradients so that their L2 norm is at most `maxNorm`; returns the norm as it was, a scalar (torch.nn.utils.clip_grad_norm_).
 * Gradients of parameters that share an arena with these count and are scaled too.
 */
export function clipGradNorm(parameters: readonly Tensor[], maxNorm: number): Tensor {
  if (!(maxNorm >= 0)) throw new RangeError(`clipGradNorm: maxNorm is ${maxNorm}; it must be a number ≥ 0`);
  const norm = gradientNorm(parameters);
  for (const arena of Arena.of(parameters))
    launch(clipGradients, {}, { count: arena.length, maxNorm }, { gradients: arena.gradients(), norm });
  return norm;
}
