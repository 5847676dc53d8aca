/** Reductions of x (outer, reduced, inner) over its middle. */
import { REDUCE_WIDTH } from '../layout';
import { sum } from './sums';

const SUM: u32 = 0;
const MAXIMUM: u32 = 1;

@inline
function pick(operator: u32, a: v128, b: v128): v128 {
  return operator == MAXIMUM ? f32x4.max(a, b) : f32x4.min(a, b);
}

@inline
function extremeOfRow(operator: u32, x: usize, count: u32): f32 {
  let best = v128.load32_splat(x);
  let end = x + ((count & ~3) << 2);
  for (; x < end; x += 16) best = pick(operator, best, v128.load(x));
  for (end = x + ((count & 3) << 2); x < end; x += 4) best = pick(operator, best, v128.load32_splat(x));
  best = pick(operator, best, v128.shuffle<f32>(best, best, 2, 3, 0, 1));
  return f32x4.extract_lane(pick(operator, best, v128.shuffle<f32>(best, best, 1, 0, 3, 2)), 0);
}

/**
 * Rows of x, each contiguous: out[row] for `rowsPerTask` rows. `pitch` is the distance of rows, the last may be
 * shorter.
 */
@unmanaged
class RowsParams {
  operator: u32;
  x: usize;
  out: usize;
  rows: u32;
  length: u32;
  rowsPerTask: u32;
  elements: u32;
}

export function reduceRows(at: usize, task: u32): void {
  const p = changetype<RowsParams>(at);
  const end = min<u32>(p.rows, (task + 1) * p.rowsPerTask);
  for (let row = task * p.rowsPerTask; row < end; row++) {
    const x = p.x + row * p.length * 4;
    const count = min<u32>(p.length, p.elements - row * p.length);
    let value: f32;
    if (p.operator == SUM) value = sum(x, count) as f32;
    else if (p.operator == MAXIMUM) value = extremeOfRow(MAXIMUM, x, count);
    else value = extremeOfRow(2, x, count);
    store<f32>(p.out + row * 4, value);
  }
}

@unmanaged
class ColumnsParams {
  operator: u32;
  x: usize;
  out: usize;
  outer: u32;
  reduced: u32;
  inner: u32;
  blocks: u32;
}

/** Rows added in float32 before they join the float64 total. */
const DEPTH: u32 = 64;

/** Four adjacent columns: Σ over `reduced` rows that lie `pitch` bytes apart. */
@inline
function sumColumns(x: usize, reduced: u32, pitch: u32): v128 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  for (let r: u32 = 0; r < reduced; ) {
    let partial = f32x4.splat(0);
    for (const stop = min<u32>(reduced, r + DEPTH); r < stop; r++, x += pitch) partial = f32x4.add(partial, v128.load(x));
    low = f64x2.add(low, f64x2.promote_low_f32x4(partial));
    high = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<f32>(partial, partial, 2, 3, 2, 3)));
  }
  return v128.shuffle<f32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

@inline
function sumColumn(x: usize, reduced: u32, pitch: u32): f32 {
  let total: f64 = 0;
  for (let r: u32 = 0; r < reduced; ) {
    let partial: f32 = 0;
    for (const stop = min<u32>(reduced, r + DEPTH); r < stop; r++, x += pitch) partial += load<f32>(x);
    total += partial as f64;
  }
  return total as f32;
}

@inline
function extremeColumns(operator: u32, x: usize, reduced: u32, pitch: u32): v128 {
  let best = v128.load(x);
  for (let r: u32 = 1; r < reduced; r++) {
    x += pitch;
    best = pick(operator, best, v128.load(x));
  }
  return best;
}

@inline
function extremeColumn(operator: u32, x: usize, reduced: u32, pitch: u32): v128 {
  let best = v128.load32_splat(x);
  for (let r: u32 = 1; r < reduced; r++) {
    x += pitch;
    best = pick(operator, best, v128.load32_splat(x));
  }
  return best;
}

export function reduceColumns(at: usize, task: u32): void {
  const p = changetype<ColumnsParams>(at);
  const outer = task / p.blocks;
  const first = (task - outer * p.blocks) * REDUCE_WIDTH;
  const last = min<u32>(p.inner, first + REDUCE_WIDTH);
  const pitch = p.inner * 4;
  const x = p.x + outer * p.reduced * pitch;
  const out = p.out + outer * pitch;
  let i = first;
  for (; i + 4 <= last; i += 4) {
    const from = x + i * 4;
    let value: v128;
    if (p.operator == SUM) value = sumColumns(from, p.reduced, pitch);
    else if (p.operator == MAXIMUM) value = extremeColumns(MAXIMUM, from, p.reduced, pitch);
    else value = extremeColumns(2, from, p.reduced, pitch);
    v128.store(out + i * 4, value);
  }
  for (; i < last; i++) {
    const from = x + i * 4;
    let value: v128;
    if (p.operator == SUM) value = f32x4.splat(sumColumn(from, p.reduced, pitch));
    else if (p.operator == MAXIMUM) value = extremeColumn(MAXIMUM, from, p.reduced, pitch);
    else value = extremeColumn(2, from, p.reduced, pitch);
    v128.store32_lane(out + i * 4, value, 0);
  }
}

@unmanaged
class ArgmaxParams {
  x: usize;
  out: usize;
  outputs: u32;
  reduced: u32;
  inner: u32;
  outputsPerTask: u32;
}

/** The first maximum of each; comparisons as the reference makes them. */
export function argmax(at: usize, task: u32): void {
  const p = changetype<ArgmaxParams>(at);
  const end = min<u32>(p.outputs, (task + 1) * p.outputsPerTask);
  for (let output = task * p.outputsPerTask; output < end; output++) {
    const outer = output / p.inner;
    let x = p.x + (outer * p.reduced * p.inner + (output - outer * p.inner)) * 4;
    let best: u32 = 0;
    let largest = load<f32>(x);
    for (let r: u32 = 1; r < p.reduced; r++) {
      x += p.inner * 4;
      const value = load<f32>(x);
      if (value > largest) {
        best = r;
        largest = value;
      }
    }
    store<i32>(p.out + output * 4, best);
  }
}
