/**
 * Long sums: float32 vectors over short stretches, float64 from stretch to stretch. The order of the additions depends
 * on the lengths alone.
 */
import { sumLanes } from './math';

/** Elements whose sum is kept in float32: 4 accumulators of 4 lanes, 64 additions deep. */
const STRETCH: u32 = 1024;

@inline
function sumStretch(x: usize, count: u32): f32 {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let end = x + ((count & ~15) << 2);
  for (; x < end; x += 64) {
    s0 = f32x4.add(s0, v128.load(x));
    s1 = f32x4.add(s1, v128.load(x, 16));
    s2 = f32x4.add(s2, v128.load(x, 32));
    s3 = f32x4.add(s3, v128.load(x, 48));
  }
  let rest: f32 = 0;
  for (end = x + ((count & 15) << 2); x < end; x += 4) rest += load<f32>(x);
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))) + rest;
}

/** Σ x[i] */
export function sum(x: usize, count: u32): f64 {
  let total: f64 = 0;
  for (; count > STRETCH; count -= STRETCH, x += STRETCH * 4) total += sumStretch(x, STRETCH) as f64;
  return total + (sumStretch(x, count) as f64);
}

@inline
function squareStretch(x: usize, count: u32, center: f32): f32 {
  const c = f32x4.splat(center);
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let end = x + ((count & ~15) << 2);
  for (; x < end; x += 64) {
    const d0 = f32x4.sub(v128.load(x), c);
    const d1 = f32x4.sub(v128.load(x, 16), c);
    const d2 = f32x4.sub(v128.load(x, 32), c);
    const d3 = f32x4.sub(v128.load(x, 48), c);
    s0 = f32x4.add(s0, f32x4.mul(d0, d0));
    s1 = f32x4.add(s1, f32x4.mul(d1, d1));
    s2 = f32x4.add(s2, f32x4.mul(d2, d2));
    s3 = f32x4.add(s3, f32x4.mul(d3, d3));
  }
  let rest: f32 = 0;
  for (end = x + ((count & 15) << 2); x < end; x += 4) {
    const d = load<f32>(x) - center;
    rest += d * d;
  }
  return sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))) + rest;
}

/** Σ (x[i] − center)² */
export function sumSquares(x: usize, count: u32, center: f32): f64 {
  let total: f64 = 0;
  for (; count > STRETCH; count -= STRETCH, x += STRETCH * 4) total += squareStretch(x, STRETCH, center) as f64;
  return total + (squareStretch(x, count, center) as f64);
}

@inline
function addProductStretch(x: usize, y: usize, count: u32, center: f32, totals: usize): void {
  const c = f32x4.splat(center);
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let t0 = f32x4.splat(0);
  let t1 = f32x4.splat(0);
  let t2 = f32x4.splat(0);
  let t3 = f32x4.splat(0);
  let end = x + ((count & ~15) << 2);
  for (; x < end; x += 64, y += 64) {
    const y0 = v128.load(y);
    const y1 = v128.load(y, 16);
    const y2 = v128.load(y, 32);
    const y3 = v128.load(y, 48);
    s0 = f32x4.add(s0, f32x4.mul(f32x4.sub(v128.load(x), c), y0));
    s1 = f32x4.add(s1, f32x4.mul(f32x4.sub(v128.load(x, 16), c), y1));
    s2 = f32x4.add(s2, f32x4.mul(f32x4.sub(v128.load(x, 32), c), y2));
    s3 = f32x4.add(s3, f32x4.mul(f32x4.sub(v128.load(x, 48), c), y3));
    t0 = f32x4.add(t0, y0);
    t1 = f32x4.add(t1, y1);
    t2 = f32x4.add(t2, y2);
    t3 = f32x4.add(t3, y3);
  }
  let products: f32 = 0;
  let sums: f32 = 0;
  for (end = x + ((count & 15) << 2); x < end; x += 4, y += 4) {
    products += (load<f32>(x) - center) * load<f32>(y);
    sums += load<f32>(y);
  }
  products += sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  sums += sumLanes(f32x4.add(f32x4.add(t0, t1), f32x4.add(t2, t3)));
  store<f64>(totals, load<f64>(totals) + (products as f64));
  store<f64>(totals, load<f64>(totals, 8) + (sums as f64), 8);
}

/** Adds Σ (x[i] − center)·y[i] to the float64 at `totals`, and Σ y[i] to the one after it. */
export function addProducts(x: usize, y: usize, count: u32, center: f32, totals: usize): void {
  for (; count > STRETCH; count -= STRETCH, x += STRETCH * 4, y += STRETCH * 4) {
    addProductStretch(x, y, STRETCH, center, totals);
  }
  addProductStretch(x, y, count, center, totals);
}
