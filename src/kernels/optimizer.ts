/** Optimiser steps over a whole arena: all parameters of a model in one buffer, one launch a step. */
import { defineKernel } from './contract.ts';

/** Parameters begin at multiples of this many elements, so that per-parameter settings are looked up by block. */
export const BLOCK = 64;

/**
 * SGD as PyTorch defines it (torch.optim.SGD; Sutskever et al. 2013 for the momentum forms), for every element i of block
 * b = ⌊i/64⌋ with settings[b] = (learning-rate scale, weight decay):
 *
 *   d = g + decay_b·w      v ← first ? d : momentum·v + (1 − dampening)·d      d ← nesterov ? d + momentum·v : v
 *   w ← w − learningRate·scale_b·d
 *
 * A scale of 0 leaves weight and velocity of the block untouched (a frozen parameter, or padding).
 */
export const sgdUpdate = defineKernel({
  name: 'sgdUpdate',
  summary: 'v ← momentum·v + (1 − dampening)·(g + decay·w), w ← w − lr·v  (or Nesterov)',
  constants: { nesterov: 'bool' },
  params: { count: 'u32', learningRate: 'f32', momentum: 'f32', dampening: 'f32', isFirstStep: 'u32' },
  buffers: {
    weights: { type: 'f32', access: 'readwrite' },
    gradients: { type: 'f32', access: 'read' },
    velocity: { type: 'f32', access: 'readwrite' },
    settings: { type: 'f32', access: 'read' },
  },
  tolerance: 1e-6,
  sizes: ({ count }) => ({ weights: count, gradients: count, velocity: count, settings: 2 * Math.ceil(count / BLOCK) }),
  flops: ({ count }) => 8 * count,
  reference({ weights, gradients, velocity, settings }, p, { nesterov }) {
    for (let i = 0; i < p.count; i++) {
      const block = Math.floor(i / BLOCK);
      const scale = settings[2 * block]!;
      if (scale === 0) continue;
      const direction = gradients[i]! + settings[2 * block + 1]! * weights[i]!;
      velocity[i] = p.isFirstStep ? direction : p.momentum * velocity[i]! + (1 - p.dampening) * direction;
      const step = nesterov ? direction + p.momentum * velocity[i]! : velocity[i]!;
      weights[i]! -= p.learningRate * scale * step;
    }
  },
});

/**
 * Adam, AMSGrad and AdamW; the caller folds the corrections of the moments' bias into `stepSize` and `epsilon` (src/optim/adam.ts).
 * For every element i of block b = ⌊i/64⌋ with settings[b] = (learning-rate scale, weight decay):
 *
 *   d = decoupled ? g : g + decay_b·w      w ← decoupled ? w − learningRate·scale_b·decay_b·w : w
 *   m ← β₁·m + share₁·d      v ← β₂·v + share₂·d²      u = amsgrad ? (v̂ ← max(v̂, v)) : v
 *   w ← w − stepSize·scale_b·m/(√u + ε)
 *
 * A scale of 0 leaves weight and moments of the block untouched. share₁ = 1 − β₁ and share₂ = 1 − β₂ are given, because that difference
 * of float32 numbers would be off by 3·10⁻⁵ of itself.
 */
export const adamUpdate = defineKernel({
  name: 'adamUpdate',
  summary: 'm ← β₁·m + (1 − β₁)·g, v ← β₂·v + (1 − β₂)·g², w ← w − stepSize·m/(√v + ε)',
  constants: { amsgrad: 'bool', decoupled: 'bool' },
  params: {
    count: 'u32',
    learningRate: 'f32',
    stepSize: 'f32',
    beta1: 'f32',
    beta2: 'f32',
    share1: 'f32',
    share2: 'f32',
    epsilon: 'f32',
  },
  buffers: {
    weights: { type: 'f32', access: 'readwrite' },
    gradients: { type: 'f32', access: 'read' },
    mean: { type: 'f32', access: 'readwrite' },
    square: { type: 'f32', access: 'readwrite' },
    largest: { type: 'f32', access: 'readwrite' },
    settings: { type: 'f32', access: 'read' },
  },
  tolerance: 1e-6,
  sizes: ({ count }, { amsgrad }) => ({
    weights: count,
    gradients: count,
    mean: count,
    square: count,
    largest: amsgrad ? count : 1,
    settings: 2 * Math.ceil(count / BLOCK),
  }),
  flops: ({ count }) => 14 * count,
  reference({ weights, gradients, mean, square, largest, settings }, p, { amsgrad, decoupled }) {
    for (let i = 0; i < p.count; i++) {
      const block = Math.floor(i / BLOCK);
      const [scale, decay] = [settings[2 * block]!, settings[2 * block + 1]!];
      if (scale === 0) continue;
      const direction = decoupled ? gradients[i]! : gradients[i]! + decay * weights[i]!;
      if (decoupled) weights[i]! -= p.learningRate * scale * decay * weights[i]!;
      mean[i] = p.beta1 * mean[i]! + p.share1 * direction;
      square[i] = p.beta2 * square[i]! + p.share2 * direction * direction;
      if (amsgrad) largest[i] = Math.max(largest[i]!, square[i]!);
      weights[i]! -= (p.stepSize * scale * mean[i]!) / (Math.sqrt(amsgrad ? largest[i]! : square[i]!) + p.epsilon);
    }
  },
});

/** Gradients of a whole arena, no longer than they may be: torch.nn.utils.clip_grad_norm_. `norm` holds one number, their L2 norm. */
export const clipGradients = defineKernel({
  name: 'clipGradients',
  summary: 'g ← g·min(1, maxNorm/(norm + 10⁻⁶))',
  constants: {},
  params: { count: 'u32', maxNorm: 'f32' },
  buffers: { gradients: { type: 'f32', access: 'readwrite' }, norm: { type: 'f32', access: 'read' } },
  tolerance: 1e-6,
  sizes: ({ count }) => ({ gradients: count, norm: 1 }),
  flops: ({ count }) => count,
  reference({ gradients, norm }, { count, maxNorm }) {
    const factor = Math.min(1, maxNorm / (norm[0]! + 1e-6));
    for (let i = 0; i < count; i++) gradients[i]! *= factor;
  },
});

/** The exponential moving average of a whole arena of weights. */
export const averageWeights = defineKernel({
  name: 'averageWeights',
  summary: 'a ← a + share·(w − a)',
  constants: {},
  params: { count: 'u32', share: 'f32' },
  buffers: { average: { type: 'f32', access: 'readwrite' }, weights: { type: 'f32', access: 'read' } },
  tolerance: 1e-6,
  sizes: ({ count }) => ({ average: count, weights: count }),
  flops: ({ count }) => 3 * count,
  reference({ average, weights }, { count, share }) {
    for (let i = 0; i < count; i++) average[i]! += share * (weights[i]! - average[i]!);
  },
});
