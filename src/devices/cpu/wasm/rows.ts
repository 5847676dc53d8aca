/** How far the rows of weights moved from their anchors, the projections back onto their balls, and what pulls them there. */
import { sumLanes } from './math';

@unmanaged
class RowsParams {
  weights: usize;
  anchors: usize;
  rows: usize;
  /** L1 norms: written, or the norms that are read. */
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

/** What the last round of `findThreshold` adds to its θ. */
let delta: f32 = 0;

/** θ (returned) and δ of the row's projection onto the L1 ball (Michelot's iteration; see the kernel's definition). */
function findThreshold(w: usize, anchor: usize, length: u32, radius: f64): f32 {
  let theta: f32 = 0;
  let before = u32.MAX_VALUE;
  while (true) {
    let sum: f64 = 0;
    let counts = i32x4.splat(0);
    const bound = f32x4.splat(theta);
    let i: u32 = 0;
    while (i + 4 <= length) {
      const stop = min<u32>(length, i + STRETCH);
      let sums = f32x4.splat(0);
      for (; i + 4 <= stop; i += 4) {
        const magnitude = f32x4.abs(f32x4.sub(v128.load(w + i * 4), v128.load(anchor + i * 4)));
        const excess = f32x4.sub(magnitude, bound);
        const active = f32x4.gt(excess, f32x4.splat(0));
        sums = f32x4.add(sums, v128.and(excess, active));
        // A true comparison is −1.
        counts = i32x4.sub(counts, active);
      }
      sum += sumLanes(sums) as f64;
    }
    let count: u32 = i32x4.extract_lane(counts, 0) + i32x4.extract_lane(counts, 1);
    count += i32x4.extract_lane(counts, 2) + i32x4.extract_lane(counts, 3);
    for (; i < length; i++) {
      const excess: f32 = abs<f32>(load<f32>(w + i * 4) - load<f32>(anchor + i * 4)) - theta;
      if (excess > 0) {
        sum += excess as f64;
        count++;
      }
    }
    delta = count == 0 ? 0 : (((sum - radius) / (count as f64)) as f32);
    if (count == 0 || count >= before) return theta;
    before = count;
    theta += max<f32>(0, delta);
  }
}

export function projectRowsL1(at: usize, task: u32): void {
  const p = changetype<RowsParams>(at);
  const last = min<u32>(p.rowCount, (task + 1) * p.rowsPerTask);
  for (let row = task * p.rowsPerTask; row < last; row++) {
    const radius = load<f32>(p.squared + row * 4);
    if (load<f32>(p.l1 + row * 4) <= radius) continue;
    const start = load<u32>(p.rows + row * 8) * 4;
    const length = load<u32>(p.rows + row * 8, 4);
    const w = p.weights + start;
    const anchor = p.anchors + start;
    const theta = findThreshold(w, anchor, length, radius);
    for (let i: u32 = 0; i < length; i++) {
      const origin = load<f32>(anchor + i * 4);
      const moved: f32 = load<f32>(w + i * 4) - origin;
      store<f32>(w + i * 4, origin + copysign<f32>(max<f32>(abs<f32>(moved) - theta - delta, 0), moved));
    }
  }
}

@unmanaged
class PenaltyParams {
  weights: usize;
  anchors: usize;
  rows: usize;
  factors: usize;
  gradients: usize;
  rowCount: u32;
  rowsPerTask: u32;
  isSign: u32;
}

export function rowPenaltyGrad(at: usize, task: u32): void {
  const p = changetype<PenaltyParams>(at);
  const last = min<u32>(p.rowCount, (task + 1) * p.rowsPerTask);
  for (let row = task * p.rowsPerTask; row < last; row++) {
    const factor = load<f32>(p.factors + row * 4);
    const factors = f32x4.splat(factor);
    let offset = load<u32>(p.rows + row * 8) * 4;
    const end = offset + load<u32>(p.rows + row * 8, 4) * 4;
    for (; !p.isSign && offset + 16 <= end; offset += 16) {
      const moved = f32x4.sub(v128.load(p.weights + offset), v128.load(p.anchors + offset));
      const gradient = p.gradients + offset;
      v128.store(gradient, f32x4.add(v128.load(gradient), f32x4.mul(factors, moved)));
    }
    for (; offset < end; offset += 4) {
      const moved: f32 = load<f32>(p.weights + offset) - load<f32>(p.anchors + offset);
      const direction: f32 = !p.isSign || moved == 0 ? moved : copysign<f32>(1, moved);
      store<f32>(p.gradients + offset, load<f32>(p.gradients + offset) + factor * direction);
    }
  }
}

@unmanaged
class LayerParams {
  values: usize;
  layers: usize;
  norms: usize;
  isFrobenius: u32;
}

/** A task is a layer. */
export function layerNorms(at: usize, task: u32): void {
  const p = changetype<LayerParams>(at);
  const first = load<u32>(p.layers + task * 8);
  const end = first + load<u32>(p.layers + task * 8, 4);
  let total: f64 = 0;
  for (let row = first; row < end; row++) {
    const value = load<f32>(p.values + row * 4) as f64;
    total = p.isFrobenius ? total + value : max<f64>(total, value);
  }
  const norm = (p.isFrobenius ? sqrt<f64>(total) : total) as f32;
  for (let row = first; row < end; row++) store<f32>(p.norms + row * 4, norm);
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
