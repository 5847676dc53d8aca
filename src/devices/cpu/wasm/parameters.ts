/** Optimiser steps over the weights of a whole arena. */
import { CHUNK } from '../layout';

/** Elements that share their settings. */
const BLOCK: u32 = 64;

@unmanaged
class SgdParams {
  weights: usize;
  gradients: usize;
  velocity: usize;
  settings: usize;
  count: u32;
  learningRate: f32;
  momentum: f32;
  dampening: f32;
  isFirstStep: u32;
  nesterov: u32;
}

export function sgdUpdate(at: usize, task: u32): void {
  const p = changetype<SgdParams>(at);
  const end = min<u32>(p.count, (task + 1) * CHUNK);
  const momentum = f32x4.splat(p.momentum);
  const undamped = f32x4.splat(1 - p.dampening);
  for (let i = task * CHUNK; i < end; i += BLOCK) {
    const settings = p.settings + (i / BLOCK) * 8;
    const scale = load<f32>(settings);
    if (scale == 0) continue;
    const rate = f32x4.splat(p.learningRate * scale);
    const decay = v128.load32_splat(settings, 4);
    const stop = min<u32>(end, i + BLOCK);
    for (let e = i; e < stop; ) {
      const whole = e + 4 <= stop;
      const w = p.weights + e * 4;
      const v = p.velocity + e * 4;
      const g = p.gradients + e * 4;
      const weight = whole ? v128.load(w) : v128.load32_splat(w);
      const gradient = whole ? v128.load(g) : v128.load32_splat(g);
      const direction = f32x4.add(gradient, f32x4.mul(decay, weight));
      let velocity = direction;
      if (!p.isFirstStep) {
        const previous = whole ? v128.load(v) : v128.load32_splat(v);
        velocity = f32x4.add(f32x4.mul(momentum, previous), f32x4.mul(undamped, direction));
      }
      const update = p.nesterov ? f32x4.add(direction, f32x4.mul(momentum, velocity)) : velocity;
      const moved = f32x4.sub(weight, f32x4.mul(rate, update));
      if (whole) {
        v128.store(v, velocity);
        v128.store(w, moved);
        e += 4;
      } else {
        v128.store32_lane(v, velocity, 0);
        v128.store32_lane(w, moved, 0);
        e++;
      }
    }
  }
}
