/** Softmax cross-entropy by rows: target t_j = (1 − ε)·[j = label] + ε/classes. */
import { exp4, log4 } from './math';

@unmanaged
class CrossEntropyParams {
  logits: usize;
  labels: usize;
  /** losses (written), or dLosses (read). */
  losses: usize;
  dLogits: usize;
  rows: u32;
  classes: u32;
  smoothing: f32;
  rowsPerTask: u32;
}

@inline
function exponential(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}

function largestOf(z: usize, classes: u32): f32 {
  let largest = load<f32>(z);
  for (let j: u32 = 1; j < classes; j++) largest = max<f32>(largest, load<f32>(z + j * 4));
  return largest;
}

/** Σ e^(z − largest) */
function sumExponentials(z: usize, classes: u32, largest: f32): f64 {
  const shift = f32x4.splat(largest);
  let total: f64 = 0;
  let j: u32 = 0;
  for (; j + 4 <= classes; j += 4) {
    const e = exp4(f32x4.sub(v128.load(z + j * 4), shift));
    const low = f64x2.promote_low_f32x4(e);
    const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(e, e, 2, 3, 2, 3));
    const pairs = f64x2.add(low, high);
    total += f64x2.extract_lane(pairs, 0) + f64x2.extract_lane(pairs, 1);
  }
  for (; j < classes; j++) total += exponential(load<f32>(z + j * 4) - largest) as f64;
  return total;
}

/** losses = logsumexp(z) − (1 − ε)·z_label − ε·mean(z), each term relative to the largest logit. */
export function crossEntropy(at: usize, task: u32): void {
  const p = changetype<CrossEntropyParams>(at);
  const last = min<u32>(p.rows, (task + 1) * p.rowsPerTask);
  for (let row = task * p.rowsPerTask; row < last; row++) {
    const z = p.logits + row * p.classes * 4;
    const label = load<u32>(p.labels + row * 4);
    const largest = largestOf(z, p.classes);
    let mean: f64 = 0;
    for (let j: u32 = 0; j < p.classes; j++) mean += (load<f32>(z + j * 4) as f64) - (largest as f64);
    mean /= p.classes as f64;
    const chosen = label < p.classes ? (load<f32>(z + label * 4) as f64) - (largest as f64) : NaN;
    const logSum = f32x4.extract_lane(log4(f32x4.splat(sumExponentials(z, p.classes, largest) as f32)), 0) as f64;
    const smoothing = p.smoothing as f64;
    store<f32>(p.losses + row * 4, (logSum - (1 - smoothing) * chosen - smoothing * mean) as f32);
  }
}

/** dLogits = dLoss·(softmax(z) − t) */
export function crossEntropyGrad(at: usize, task: u32): void {
  const p = changetype<CrossEntropyParams>(at);
  const last = min<u32>(p.rows, (task + 1) * p.rowsPerTask);
  const background: f32 = p.smoothing / (p.classes as f32);
  for (let row = task * p.rowsPerTask; row < last; row++) {
    const z = p.logits + row * p.classes * 4;
    const out = p.dLogits + row * p.classes * 4;
    const label = load<u32>(p.labels + row * 4);
    const scale: f32 = label < p.classes ? load<f32>(p.losses + row * 4) : NaN as f32;
    const largest = largestOf(z, p.classes);
    const inverse = (1 / sumExponentials(z, p.classes, largest)) as f32;
    for (let j: u32 = 0; j < p.classes; j++) {
      const softmax = exponential(load<f32>(z + j * 4) - largest) * inverse;
      store<f32>(out + j * 4, scale * (softmax - (j == label ? 1 - p.smoothing + background : background)));
    }
  }
}
