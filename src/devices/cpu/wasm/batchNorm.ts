/**
 * Batch normalisation over x (batch, channels, spatial). A plane is the `spatial` elements of one image and channel.
 */
import { addProducts, sum, sumSquares } from './sums';
import { tileOf } from './tile';

@unmanaged
class StatsParams {
  x: usize;
  mean: usize;
  variance: usize;
  batch: u32;
  channels: u32;
  spatial: u32;
}

/**
 * One channel a task, one pass over memory: each plane's own mean and Σ (x − mean)² while it is in the cache, joined to
 * the channel's by Chan, Golub and LeVeque's formula (1979) in float64.
 */
export function batchNormStats(at: usize, channel: u32): void {
  const p = changetype<StatsParams>(at);
  const planeBytes = p.spatial * 4;
  const size = p.spatial as f64;
  let x = p.x + channel * planeBytes;
  let count: f64 = 0;
  let mean: f64 = 0;
  let squares: f64 = 0;
  for (let n: u32 = 0; n < p.batch; n++, x += p.channels * planeBytes) {
    const planeMean = sum(x, p.spatial) / size;
    const center = planeMean as f32;
    const offset = planeMean - (center as f64);
    const delta = planeMean - mean;
    squares += sumSquares(x, p.spatial, center) - size * offset * offset + delta * delta * (count * size) / (count + size);
    count += size;
    mean += (delta * size) / count;
  }
  store<f32>(p.mean + channel * 4, mean as f32);
  store<f32>(p.variance + channel * 4, max<f64>(squares / count, 0) as f32);
}

@unmanaged
class ApplyParams {
  x: usize;
  mean: usize;
  variance: usize;
  gamma: usize;
  beta: usize;
  y: usize;
  planes: u32;
  channels: u32;
  spatial: u32;
  epsilon: f32;
  planesPerTask: u32;
}

export function batchNormApply(at: usize, task: u32): void {
  const p = changetype<ApplyParams>(at);
  const last = min<u32>(p.planes, (task + 1) * p.planesPerTask);
  let x = p.x + task * p.planesPerTask * p.spatial * 4;
  let y = p.y + task * p.planesPerTask * p.spatial * 4;
  for (let plane = task * p.planesPerTask; plane < last; plane++) {
    const c = (plane % p.channels) * 4;
    const mean = v128.load32_splat(p.mean + c);
    const scale = f32x4.splat(load<f32>(p.gamma + c) / sqrt<f32>(load<f32>(p.variance + c) + p.epsilon));
    const shift = v128.load32_splat(p.beta + c);
    let end = x + ((p.spatial & ~3) << 2);
    for (; x < end; x += 16, y += 16) {
      v128.store(y, f32x4.add(f32x4.mul(f32x4.sub(v128.load(x), mean), scale), shift));
    }
    for (end = x + ((p.spatial & 3) << 2); x < end; x += 4, y += 4) {
      v128.store32_lane(y, f32x4.add(f32x4.mul(f32x4.sub(v128.load32_splat(x), mean), scale), shift), 0);
    }
  }
}

@unmanaged
class RunningParams {
  mean: usize;
  variance: usize;
  runningMean: usize;
  runningVariance: usize;
  channels: u32;
  momentum: f32;
  correction: f32;
}

export function batchNormRunning(at: usize): void {
  const p = changetype<RunningParams>(at);
  const keep: f32 = 1 - p.momentum;
  for (let c: usize = 0; c < p.channels * 4; c += 4) {
    const mean = load<f32>(p.mean + c);
    const variance = p.correction * load<f32>(p.variance + c);
    store<f32>(p.runningMean + c, keep * load<f32>(p.runningMean + c) + p.momentum * mean);
    store<f32>(p.runningVariance + c, keep * load<f32>(p.runningVariance + c) + p.momentum * variance);
  }
}

@unmanaged
class GradParamsParams {
  x: usize;
  dy: usize;
  mean: usize;
  variance: usize;
  dGamma: usize;
  dBeta: usize;
  batch: u32;
  channels: u32;
  spatial: u32;
  epsilon: f32;
}

/** One channel a task. */
export function batchNormGradParams(at: usize, channel: u32, thread: u32): void {
  const p = changetype<GradParamsParams>(at);
  const mean = load<f32>(p.mean + channel * 4);
  const deviation = Math.sqrt((load<f32>(p.variance + channel * 4) as f64) + (p.epsilon as f64));
  const planeBytes = p.spatial * 4;
  let offset = channel * planeBytes;
  const totals = tileOf(thread);
  store<f64>(totals, 0);
  store<f64>(totals, 0, 8);
  for (let n: u32 = 0; n < p.batch; n++, offset += p.channels * planeBytes) {
    addProducts(p.x + offset, p.dy + offset, p.spatial, mean, totals);
  }
  store<f32>(p.dGamma + channel * 4, (load<f64>(totals) / deviation) as f32);
  store<f32>(p.dBeta + channel * 4, load<f64>(totals, 8) as f32);
}

@unmanaged
class GradInputParams {
  x: usize;
  dy: usize;
  mean: usize;
  variance: usize;
  gamma: usize;
  dGamma: usize;
  dBeta: usize;
  dx: usize;
  planes: u32;
  channels: u32;
  spatial: u32;
  epsilon: f32;
  batchStatistics: u32;
  planesPerTask: u32;
}

@inline
function gradInput(x: v128, dy: v128, mean: v128, offset: v128, slope: v128, scale: v128): v128 {
  return f32x4.mul(scale, f32x4.sub(f32x4.sub(dy, offset), f32x4.mul(f32x4.sub(x, mean), slope)));
}

/**
 * dx = scale·(dy − offset − (x − mean)·slope) with three constants per channel, the last two zero for fixed statistics.
 */
export function batchNormGradInput(at: usize, task: u32): void {
  const p = changetype<GradInputParams>(at);
  const last = min<u32>(p.planes, (task + 1) * p.planesPerTask);
  const count = ((p.planes / p.channels) * p.spatial) as f32;
  const start = task * p.planesPerTask * p.spatial * 4;
  let x = p.x + start;
  let dy = p.dy + start;
  let dx = p.dx + start;
  for (let plane = task * p.planesPerTask; plane < last; plane++) {
    const c = (plane % p.channels) * 4;
    const inverse: f32 = 1 / sqrt<f32>(load<f32>(p.variance + c) + p.epsilon);
    const scale = f32x4.splat(load<f32>(p.gamma + c) * inverse);
    const mean = v128.load32_splat(p.mean + c);
    const offset = f32x4.splat(p.batchStatistics ? load<f32>(p.dBeta + c) / count : 0);
    const slope = f32x4.splat(p.batchStatistics ? (inverse * load<f32>(p.dGamma + c)) / count : 0);
    let end = x + ((p.spatial & ~3) << 2);
    for (; x < end; x += 16, dy += 16, dx += 16) {
      v128.store(dx, gradInput(v128.load(x), v128.load(dy), mean, offset, slope, scale));
    }
    for (end = x + ((p.spatial & 3) << 2); x < end; x += 4, dy += 4, dx += 4) {
      v128.store32_lane(dx, gradInput(v128.load32_splat(x), v128.load32_splat(dy), mean, offset, slope, scale), 0);
    }
  }
}
