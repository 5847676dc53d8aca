/** Dropout (Srivastava et al. 2014): y = x·mask/(1 − p), with mask[i] = 1 with probability 1 − p. */
import { uniform } from '../tensor/create.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { affine, greaterEqual, mul } from './elementwise.ts';

/** The mask depends on (seed, stream) alone: give each call of a run its own stream. */
export function dropout(x: Tensor, probability: number, seed: number, stream = 0): Tensor {
  if (!(probability >= 0 && probability < 1))
    throw new RangeError(`dropout: a probability of ${probability} is outside 0 ≤ p < 1`);
  if (probability === 0) return x;
  const kept = greaterEqual(uniform(x.shape, seed, { stream, device: x.device }), probability);
  return mul(x, affine(kept, 1 / (1 - probability)));
}
