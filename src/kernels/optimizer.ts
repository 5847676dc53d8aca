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
