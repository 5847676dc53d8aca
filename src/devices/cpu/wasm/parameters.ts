/** What happens to the weights themselves: the optimiser step, row distances, and the projection. */
import { CHUNK } from '../layout';
import { sumLanes } from './math';

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
class RowsParams {
  weights: usize;
  anchors: usize;
  rows: usize;
  l1: usize;
  /** squared distances (written), or radii (read). */
  squared: usize;
  rowCount: u32;
  rowsPerTask: u32;
}

/** Elements summed in float32 before they join the float64 total. */
const STRETCH: u32 = 512;

export function rowDistances(at: usize, task: u32): void {
  const p = changetype<RowsParams>(at);
  const last = min<u32>(p.rowCount, (task + 1) * p.rowsPerTask);
  for (let row = task * p.rowsPerTask; row < last; row++) {
    let offset = load<u32>(p.rows + row * 8) * 4;
    const end = offset + load<u32>(p.rows + row * 8, 4) * 4;
    let l1: f64 = 0;
    let squared: f64 = 0;
    while (offset < end) {
      const stop = min<u32>(end, offset + STRETCH * 4);
      let magnitudes = f32x4.splat(0);
      let squares = f32x4.splat(0);
      for (; offset + 16 <= stop; offset += 16) {
        const moved = f32x4.sub(v128.load(p.weights + offset), v128.load(p.anchors + offset));
        magnitudes = f32x4.add(magnitudes, f32x4.abs(moved));
        squares = f32x4.add(squares, f32x4.mul(moved, moved));
      }
      l1 += sumLanes(magnitudes) as f64;
      squared += sumLanes(squares) as f64;
      for (; offset < stop; offset += 4) {
        const moved: f32 = load<f32>(p.weights + offset) - load<f32>(p.anchors + offset);
        l1 += abs<f32>(moved) as f64;
        squared += (moved * moved) as f64;
      }
    }
    store<f32>(p.l1 + row * 4, l1 as f32);
    store<f32>(p.squared + row * 4, squared as f32);
  }
}

export function projectRows(at: usize, task: u32): void {
  const p = changetype<RowsParams>(at);
  const last = min<u32>(p.rowCount, (task + 1) * p.rowsPerTask);
  for (let row = task * p.rowsPerTask; row < last; row++) {
    const l1 = load<f32>(p.l1 + row * 4);
    const radius = load<f32>(p.squared + row * 4);
    if (l1 <= radius) continue;
    const scale = f32x4.splat(radius / l1);
    let w = p.weights + load<u32>(p.rows + row * 8) * 4;
    let anchor = p.anchors + load<u32>(p.rows + row * 8) * 4;
    const end = w + load<u32>(p.rows + row * 8, 4) * 4;
    for (; w + 16 <= end; w += 16, anchor += 16) {
      const origin = v128.load(anchor);
      v128.store(w, f32x4.add(origin, f32x4.mul(f32x4.sub(v128.load(w), origin), scale)));
    }
    for (; w < end; w += 4, anchor += 4) {
      const origin = v128.load32_splat(anchor);
      v128.store32_lane(w, f32x4.add(origin, f32x4.mul(f32x4.sub(v128.load32_splat(w), origin), scale)), 0);
    }
  }
}

@unmanaged
class ChannelParams {
  weights: usize;
  anchors: usize;
  variances: usize;
  anchorVariances: usize;
  table: usize;
  /** distances (written), or radii (read). */
  distances: usize;
  channels: u32;
  epsilon: f32;
}

@inline
function deviation(variances: usize, place: usize, epsilon: f32): f32 {
  return sqrt<f32>(load<f32>(variances + place) + epsilon);
}

export function batchNormDistances(at: usize): void {
  const p = changetype<ChannelParams>(at);
  for (let c: u32 = 0; c < p.channels; c++) {
    const weight = load<u32>(p.table + c * 8) * 4;
    const variance = load<u32>(p.table + c * 8, 4) * 4;
    const diagonal: f32 = load<f32>(p.weights + weight) / deviation(p.variances, variance, p.epsilon);
    const anchor: f32 = load<f32>(p.anchors + weight) / deviation(p.anchorVariances, variance, p.epsilon);
    store<f32>(p.distances + c * 4, abs<f32>(diagonal - anchor));
  }
}

export function projectBatchNorm(at: usize): void {
  const p = changetype<ChannelParams>(at);
  for (let c: u32 = 0; c < p.channels; c++) {
    const weight = load<u32>(p.table + c * 8) * 4;
    const variance = load<u32>(p.table + c * 8, 4) * 4;
    const radius = load<f32>(p.distances + c * 4);
    const scale = deviation(p.variances, variance, p.epsilon);
    const anchor: f32 = load<f32>(p.anchors + weight) / deviation(p.anchorVariances, variance, p.epsilon);
    const moved: f32 = load<f32>(p.weights + weight) / scale - anchor;
    if (abs<f32>(moved) > radius) store<f32>(p.weights + weight, (anchor + copysign<f32>(radius, moved)) * scale);
  }
}
