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

@unmanaged
class AdamParams {
  weights: usize;
  gradients: usize;
  mean: usize;
  square: usize;
  largest: usize;
  settings: usize;
  count: u32;
  learningRate: f32;
  stepSize: f32;
  beta1: f32;
  beta2: f32;
  share1: f32;
  share2: f32;
  epsilon: f32;
  amsgrad: u32;
  decoupled: u32;
}

/** Four elements from address offset `at` on; with `whole` false only the first of them is real, and stored. */
@inline
function adamFour(p: AdamParams, at: usize, whole: bool, scale: f32, decay: f32): void {
  let weight = read(p.weights + at, whole);
  let direction = read(p.gradients + at, whole);
  if (p.decoupled) {
    weight = f32x4.sub(weight, f32x4.mul(f32x4.splat(p.learningRate * scale * decay), weight));
  } else {
    direction = f32x4.add(direction, f32x4.mul(f32x4.splat(decay), weight));
  }
  const m = f32x4.add(
    f32x4.mul(f32x4.splat(p.beta1), read(p.mean + at, whole)),
    f32x4.mul(f32x4.splat(p.share1), direction),
  );
  const v = f32x4.add(
    f32x4.mul(f32x4.splat(p.beta2), read(p.square + at, whole)),
    f32x4.mul(f32x4.splat(p.share2), f32x4.mul(direction, direction)),
  );
  write(p.mean + at, m, whole);
  write(p.square + at, v, whole);
  let u = v;
  if (p.amsgrad) {
    u = f32x4.max(read(p.largest + at, whole), v);
    write(p.largest + at, u, whole);
  }
  const step = f32x4.div(
    f32x4.mul(f32x4.splat(p.stepSize * scale), m),
    f32x4.add(f32x4.sqrt(u), f32x4.splat(p.epsilon)),
  );
  write(p.weights + at, f32x4.sub(weight, step), whole);
}

@inline
function read(at: usize, whole: bool): v128 {
  return whole ? v128.load(at) : v128.load32_splat(at);
}

@inline
function write(at: usize, value: v128, whole: bool): void {
  if (whole) v128.store(at, value);
  else v128.store32_lane(at, value, 0);
}

export function adamUpdate(at: usize, task: u32): void {
  const p = changetype<AdamParams>(at);
  const end = min<u32>(p.count, (task + 1) * CHUNK);
  for (let i = task * CHUNK; i < end; i += BLOCK) {
    const settings = p.settings + (i / BLOCK) * 8;
    const scale = load<f32>(settings);
    if (scale == 0) continue;
    const decay = load<f32>(settings, 4);
    const stop = min<u32>(end, i + BLOCK);
    let e = i;
    for (; e + 4 <= stop; e += 4) adamFour(p, e * 4, true, scale, decay);
    for (; e < stop; e++) adamFour(p, e * 4, false, scale, decay);
  }
}

@unmanaged
class PairParams {
  /** Changed in place. */
  target: usize;
  source: usize;
  count: u32;
  number: f32;
}

export function clipGradients(at: usize, task: u32): void {
  const p = changetype<PairParams>(at);
  const end = min<u32>(p.count, (task + 1) * CHUNK);
  const factor: f32 = min<f32>(1, p.number / (load<f32>(p.source) + 1e-6));
  const factors = f32x4.splat(factor);
  let i = task * CHUNK;
  for (; i + 4 <= end; i += 4) v128.store(p.target + i * 4, f32x4.mul(v128.load(p.target + i * 4), factors));
  for (; i < end; i++) store<f32>(p.target + i * 4, load<f32>(p.target + i * 4) * factor);
}

export function averageWeights(at: usize, task: u32): void {
  const p = changetype<PairParams>(at);
  const end = min<u32>(p.count, (task + 1) * CHUNK);
  const share = f32x4.splat(p.number);
  let i = task * CHUNK;
  for (; i + 4 <= end; i += 4) {
    const average = v128.load(p.target + i * 4);
    const step = f32x4.mul(share, f32x4.sub(v128.load(p.source + i * 4), average));
    v128.store(p.target + i * 4, f32x4.add(average, step));
  }
  for (; i < end; i++) {
    const average = load<f32>(p.target + i * 4);
    store<f32>(p.target + i * 4, average + p.number * (load<f32>(p.source + i * 4) - average));
  }
}
