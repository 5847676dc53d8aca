/**
 * One optimiser step in float64, from the published definitions and not through `src/optim`, for one parameter w with gradient g, at
 * step t (the first is 1), learning rate η (times the group's scale) and weight decay λ:
 *
 *   SGD      d = g + λw      v = t = 1 ? d : μv + d      w −= η·(nesterov ? d + μv : v)                        torch.optim.SGD
 *   Adam     d = g + λw      m = β₁m + (1 − β₁)d         v = β₂v + (1 − β₂)d²      u = amsgrad ? max(u, v) : v
 *            PyTorch         w −= η/(1 − β₁ᵗ)·m/(√u/√(1 − β₂ᵗ) + ε)                                            torch.optim.Adam
 *            Keras           w −= η·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·m/(√u + ε)                                            keras.optimizers.Adam
 *   AdamW    d = g           w −= η·λ·w, then as PyTorch's Adam                                                torch.optim.AdamW
 *
 * Beside every value stands how far float32 arithmetic may be from it: a rounding of the result (2⁻²⁴ of it), and 2⁻²⁰ of the sum of
 * the magnitudes that were added up on the way, which is some fifteen roundings, or WebGPU's division and root.
 */
import type { Numbers } from './balls.ts';

export interface OptimizerFacts {
  readonly name: 'sgd' | 'adam' | 'adamw';
  readonly weightDecay: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly amsgrad: boolean;
  readonly semantics: 'pytorch' | 'keras';
}

/** What a parameter's update reads. */
export interface UpdateInput {
  readonly weights: Numbers;
  readonly gradient: Numbers;
  /** By name: `velocity`, or `mean`, `square`, `largest`. */
  readonly moments: Readonly<Record<string, Numbers>>;
  /** η, the group's scale included. */
  readonly learningRate: number;
  /** t: the first step is 1. */
  readonly step: number;
}

/** Values, and how far from each a float32 result may be. */
export interface Bounded {
  readonly values: Float64Array;
  readonly bound: Float64Array;
}

export interface Updated {
  readonly weights: Bounded;
  readonly moments: Readonly<Record<string, Bounded>>;
}

export const ROUNDING = 2 ** -24;
const SLACK = 2 ** -20;
/** The least normal float32: devices may take less for zero. */
const TINY = 2 ** -126;

const pair = (length: number): Bounded => ({ values: new Float64Array(length), bound: new Float64Array(length) });

export function updated(facts: OptimizerFacts, input: UpdateInput): Updated {
  return facts.name === 'sgd' ? sgd(facts, input) : adam(facts, input);
}

function sgd({ weightDecay, momentum, nesterov }: OptimizerFacts, input: UpdateInput): Updated {
  const { weights: w, gradient: g, learningRate, step } = input;
  const before = input.moments.velocity!;
  const [weights, velocity] = [pair(w.length), pair(w.length)];
  for (let i = 0; i < w.length; i++) {
    const direction = g[i]! + weightDecay * w[i]!;
    const terms = Math.abs(g[i]!) + Math.abs(weightDecay * w[i]!);
    const carried = step === 1 ? 0 : momentum * before[i]!;
    const v = carried + direction;
    const spread = Math.abs(carried) + terms;
    velocity.values[i] = v;
    velocity.bound[i] = SLACK * spread + TINY;
    const change = learningRate * (nesterov ? direction + momentum * v : v);
    const size = learningRate * (nesterov ? terms + momentum * spread : spread);
    weights.values[i] = w[i]! - change;
    weights.bound[i] = ROUNDING * Math.abs(w[i]! - change) * 1.001 + SLACK * size + TINY;
  }
  return { weights, moments: { velocity } };
}

function adam(facts: OptimizerFacts, input: UpdateInput): Updated {
  const { name, weightDecay, epsilon, amsgrad, semantics } = facts;
  const [beta1, beta2] = facts.betas;
  const { weights: w, gradient: g, moments, learningRate, step } = input;
  const isDecoupled = name === 'adamw';
  const [bias1, root2] = [1 - beta1 ** step, Math.sqrt(1 - beta2 ** step)];
  const [weights, mean, square, largest] = [pair(w.length), pair(w.length), pair(w.length), pair(w.length)];
  for (let i = 0; i < w.length; i++) {
    const decay = isDecoupled ? 0 : weightDecay * w[i]!;
    const direction = g[i]! + decay;
    const terms = Math.abs(g[i]!) + Math.abs(decay);
    const m = beta1 * moments.mean![i]! + (1 - beta1) * direction;
    const spread = Math.abs(beta1 * moments.mean![i]!) + (1 - beta1) * terms;
    const v = beta2 * moments.square![i]! + (1 - beta2) * direction ** 2;
    const vSpread = beta2 * moments.square![i]! + (1 - beta2) * terms ** 2;
    const u = amsgrad ? Math.max(moments.largest![i]!, v) : v;
    mean.values[i] = m;
    mean.bound[i] = SLACK * spread + TINY;
    square.values[i] = v;
    square.bound[i] = SLACK * vSpread + TINY;
    largest.values[i] = u;
    largest.bound[i] = SLACK * Math.max(u, vSpread) + TINY;
    const denominator = semantics === 'keras' && !isDecoupled ? Math.sqrt(u) + epsilon : Math.sqrt(u) / root2 + epsilon;
    const rate = semantics === 'keras' && !isDecoupled ? (learningRate * root2) / bias1 : learningRate / bias1;
    // Of v's own error half arrives in its root, relative to it.
    const relative = SLACK * (1 + (u > 0 ? vSpread / u : 0));
    const kept = isDecoupled ? w[i]! * (1 - learningRate * weightDecay) : w[i]!;
    weights.values[i] = kept - (rate * m) / denominator;
    weights.bound[i] =
      ROUNDING * (Math.abs(weights.values[i]!) * 1.001 + (isDecoupled ? 3 * Math.abs(w[i]!) : 0)) +
      (SLACK * spread + relative * Math.abs(m)) * (rate / denominator) +
      TINY;
  }
  return { weights, moments: { mean, square, ...(amsgrad && { largest }) } };
}

/** By what clipping multiplied the gradient whose norm was `norm` (torch.nn.utils.clip_grad_norm_). */
export const clipFactor = (norm: number, most: number | null): number =>
  most === null ? 1 : Math.min(1, most / (norm + 1e-6));
