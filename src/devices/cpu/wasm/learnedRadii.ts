/** Radii learned by gradient, and selective decay: see the kernels' definitions. A task is some rows, or a tensor. */
import { sumLanes } from './math';

@unmanaged
class DotParams {
  weights: usize;
  anchors: usize;
  gradients: usize;
  rows: usize;
  dots: usize;
  rowCount: u32;
  rowsPerTask: u32;
}

/** Elements summed in float32 before they join the float64 total. */
const STRETCH: u32 = 512;

export function rowDots(at: usize, task: u32): void {
  const p = changetype<DotParams>(at);
  const last = min<u32>(p.rowCount, (task + 1) * p.rowsPerTask);
  for (let row = task * p.rowsPerTask; row < last; row++) {
    let offset = load<u32>(p.rows + row * 8) * 4;
    const end = offset + load<u32>(p.rows + row * 8, 4) * 4;
    let total: f64 = 0;
    while (offset < end) {
      const stop = min<u32>(end, offset + STRETCH * 4);
      let products = f32x4.splat(0);
      for (; offset + 16 <= stop; offset += 16) {
        const moved = f32x4.sub(v128.load(p.weights + offset), v128.load(p.anchors + offset));
        products = f32x4.add(products, f32x4.mul(v128.load(p.gradients + offset), moved));
      }
      total += sumLanes(products) as f64;
      for (; offset < stop; offset += 4) {
        const moved: f32 = load<f32>(p.weights + offset) - load<f32>(p.anchors + offset);
        total += (load<f32>(p.gradients + offset) * moved) as f64;
      }
    }
    store<f32>(p.dots + row * 4, total as f32);
  }
}

@unmanaged
class RadiiParams {
  dots: usize;
  norms: usize;
  tensors: usize;
  previous: usize;
  state: usize;
  radii: usize;
  mode: u32;
  isFirstStep: u32;
  rate: f32;
  beta1: f32;
  beta2: f32;
  share1: f32;
  share2: f32;
  correction1: f32;
  correction2: f32;
  anneal: f32;
  least: f32;
}

const FTP: u32 = 0;
const START: u32 = 2;

export function learnRadii(at: usize, task: u32): void {
  const p = changetype<RadiiParams>(at);
  const first = load<u32>(p.tensors + task * 8);
  const end = first + load<u32>(p.tensors + task * 8, 4);
  const state = p.state + task * 12;
  let radius = load<f32>(state) as f64;
  let gradient: f64 = 0;
  let largest: f64 = 0;
  let smallest: f64 = Infinity;
  for (let r = first; r < end; r++) {
    const norm = load<f32>(p.norms + r * 4) as f64;
    const dot = load<f32>(p.dots + r * 4) as f64;
    if (p.mode == FTP) gradient += dot / (load<f32>(p.previous + r * 4) as f64);
    else if (norm > radius) gradient += dot / norm;
    largest = max<f64>(largest, norm);
    smallest = min<f64>(smallest, norm);
  }
  const least = p.least as f64;
  let mean: f64 = 0;
  let square: f64 = 0;
  if (p.mode == START) radius = min<f64>(max<f64>(smallest / 2, least), max<f64>(largest, least));
  else if (p.mode == FTP && p.isFirstStep) radius = least;
  else {
    if (p.mode == FTP && gradient > 0) gradient *= p.anneal as f64;
    mean = (p.beta1 as f64) * (load<f32>(state, 4) as f64) + (p.share1 as f64) * gradient;
    square = (p.beta2 as f64) * (load<f32>(state, 8) as f64) + (p.share2 as f64) * gradient * gradient;
    const size = sqrt<f64>(square / (p.correction2 as f64)) + least;
    radius = max<f64>(min<f64>(radius - ((p.rate as f64) * (mean / (p.correction1 as f64))) / size, largest), least);
  }
  store<f32>(state, radius as f32);
  store<f32>(state, mean as f32, 4);
  store<f32>(state, square as f32, 8);
  for (let r = first; r < end; r++) {
    store<f32>(p.radii + r * 4, radius as f32);
    store<f32>(p.previous + r * 4, load<f32>(p.norms + r * 4) + p.least);
  }
}

@unmanaged
class DecayParams {
  dots: usize;
  before: usize;
  after: usize;
  tensors: usize;
  kept: usize;
  strength: f32;
}

export function selectiveDecay(at: usize, task: u32): void {
  const p = changetype<DecayParams>(at);
  const first = load<u32>(p.tensors + task * 8);
  const end = first + load<u32>(p.tensors + task * 8, 4);
  let dots: f64 = 0;
  let before: f64 = 0;
  let after: f64 = 0;
  for (let r = first; r < end; r++) {
    dots += load<f32>(p.dots + r * 4) as f64;
    before += load<f32>(p.before + r * 4) as f64;
    after += load<f32>(p.after + r * 4) as f64;
  }
  const now = sqrt<f64>(after);
  let share: f64 = 1;
  if (dots > 0 && now > 0) share -= (p.strength as f64) * max<f64>(0, min<f64>(1, (now - sqrt<f64>(before)) / now));
  for (let r = first; r < end; r++) store<f32>(p.kept + r * 4, share as f32);
}
