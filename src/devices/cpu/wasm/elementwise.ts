/**
 * Elementwise kernels. A task treats `CHUNK` elements: vectors of four, then the rest one by one through the same
 * vector code.
 */
import { CHUNK } from '../layout';
import { cos4, exp4, log4, power4, sigmoid4, sin4, tanh4 } from './math';

@inline
function ones(mask: v128): v128 {
  return v128.and(mask, f32x4.splat(1.0));
}

/** In the order of UNARY_OPERATORS. `operator` is a constant at every call, so one case remains of the switch. */
@inline
function unaryValue(operator: u32, x: v128, alpha: v128, beta: v128): v128 {
  const zero = f32x4.splat(0.0);
  if (operator == 0) return f32x4.neg(x);
  if (operator == 1) return f32x4.abs(x);
  if (operator == 2) return f32x4.sub(ones(f32x4.gt(x, zero)), ones(f32x4.lt(x, zero)));
  if (operator == 3) return f32x4.mul(x, x);
  if (operator == 4) return f32x4.sqrt(x);
  if (operator == 5) return f32x4.div(f32x4.splat(1.0), f32x4.sqrt(x));
  if (operator == 6) return f32x4.div(f32x4.splat(1.0), x);
  if (operator == 7) return exp4(x);
  if (operator == 8) return log4(x);
  if (operator == 9) return sin4(x);
  if (operator == 10) return cos4(x);
  if (operator == 11) return tanh4(x);
  if (operator == 12) return sigmoid4(x);
  if (operator == 13) return f32x4.max(x, zero);
  if (operator == 14) return f32x4.add(f32x4.mul(alpha, x), beta);
  if (operator == 15) return power4(x, alpha);
  if (operator == 16) return v128.bitselect(alpha, f32x4.min(x, beta), f32x4.lt(x, alpha));
  return ones(v128.and(f32x4.ge(x, alpha), f32x4.le(x, beta)));
}

@inline
function mapUnary(operator: u32, x: usize, out: usize, count: u32, alpha: v128, beta: v128): void {
  const whole = out + ((count & ~3) << 2);
  const end = out + (count << 2);
  for (; out < whole; out += 16, x += 16) {
    v128.store(out, unaryValue(operator, v128.load(x), alpha, beta));
  }
  for (; out < end; out += 4, x += 4) {
    v128.store32_lane(out, unaryValue(operator, v128.load32_splat(x), alpha, beta), 0);
  }
}

@unmanaged
class UnaryParams {
  operator: u32;
  x: usize;
  out: usize;
  count: u32;
  alpha: f32;
  beta: f32;
}

@inline
function taskCount(task: u32, count: u32): u32 {
  return min<u32>(CHUNK, count - task * CHUNK);
}

export function unary(at: usize, task: u32): void {
  const p = changetype<UnaryParams>(at);
  const count = taskCount(task, p.count);
  const x = p.x + task * CHUNK * 4;
  const out = p.out + task * CHUNK * 4;
  const alpha = f32x4.splat(p.alpha);
  const beta = f32x4.splat(p.beta);
  switch (p.operator) {
    case 0: mapUnary(0, x, out, count, alpha, beta); break;
    case 1: mapUnary(1, x, out, count, alpha, beta); break;
    case 2: mapUnary(2, x, out, count, alpha, beta); break;
    case 3: mapUnary(3, x, out, count, alpha, beta); break;
    case 4: mapUnary(4, x, out, count, alpha, beta); break;
    case 5: mapUnary(5, x, out, count, alpha, beta); break;
    case 6: mapUnary(6, x, out, count, alpha, beta); break;
    case 7: mapUnary(7, x, out, count, alpha, beta); break;
    case 8: mapUnary(8, x, out, count, alpha, beta); break;
    case 9: mapUnary(9, x, out, count, alpha, beta); break;
    case 10: mapUnary(10, x, out, count, alpha, beta); break;
    case 11: mapUnary(11, x, out, count, alpha, beta); break;
    case 12: mapUnary(12, x, out, count, alpha, beta); break;
    case 13: mapUnary(13, x, out, count, alpha, beta); break;
    case 14: mapUnary(14, x, out, count, alpha, beta); break;
    case 15: mapUnary(15, x, out, count, alpha, beta); break;
    case 16: mapUnary(16, x, out, count, alpha, beta); break;
    case 17: mapUnary(17, x, out, count, alpha, beta); break;
  }
}

/** In the order of BINARY_OPERATORS. */
@inline
function binaryValue(operator: u32, a: v128, b: v128): v128 {
  if (operator == 0) return f32x4.add(a, b);
  if (operator == 1) return f32x4.sub(a, b);
  if (operator == 2) return f32x4.mul(a, b);
  if (operator == 3) return f32x4.div(a, b);
  if (operator == 4) return f32x4.max(a, b);
  if (operator == 5) return f32x4.min(a, b);
  if (operator == 6) return power4(a, b);
  if (operator == 7) return ones(f32x4.eq(a, b));
  if (operator == 8) return ones(f32x4.ne(a, b));
  if (operator == 9) return ones(f32x4.lt(a, b));
  if (operator == 10) return ones(f32x4.le(a, b));
  if (operator == 11) return ones(f32x4.gt(a, b));
  if (operator == 12) return ones(f32x4.ge(a, b));
  return v128.and(a, f32x4.gt(b, f32x4.splat(0.0)));
}

/** out[i] = f(a[i·aStep], b[i·bStep]), steps in bytes: 4 walks, 0 repeats, anything else gathers. */
@inline
function mapBinary(operator: u32, a: usize, b: usize, out: usize, count: u32, aStep: i32, bStep: i32): void {
  const end = out + (count << 2);
  if ((aStep == 4 || aStep == 0) && (bStep == 4 || bStep == 0)) {
    const whole = out + ((count & ~3) << 2);
    if (aStep == 4 && bStep == 4) {
      for (; out < whole; out += 16, a += 16, b += 16) v128.store(out, binaryValue(operator, v128.load(a), v128.load(b)));
    } else if (aStep == 4) {
      const repeated = v128.load32_splat(b);
      for (; out < whole; out += 16, a += 16) v128.store(out, binaryValue(operator, v128.load(a), repeated));
    } else {
      const repeated = v128.load32_splat(a);
      for (; out < whole; out += 16, b += bStep << 2) {
        v128.store(out, binaryValue(operator, repeated, bStep == 4 ? v128.load(b) : v128.load32_splat(b)));
      }
    }
  }
  for (; out < end; out += 4, a += aStep, b += bStep) {
    v128.store32_lane(out, binaryValue(operator, v128.load32_splat(a), v128.load32_splat(b)), 0);
  }
}

function applyBinary(operator: u32, a: usize, b: usize, out: usize, count: u32, aStep: i32, bStep: i32): void {
  switch (operator) {
    case 0: mapBinary(0, a, b, out, count, aStep, bStep); break;
    case 1: mapBinary(1, a, b, out, count, aStep, bStep); break;
    case 2: mapBinary(2, a, b, out, count, aStep, bStep); break;
    case 3: mapBinary(3, a, b, out, count, aStep, bStep); break;
    case 4: mapBinary(4, a, b, out, count, aStep, bStep); break;
    case 5: mapBinary(5, a, b, out, count, aStep, bStep); break;
    case 6: mapBinary(6, a, b, out, count, aStep, bStep); break;
    case 7: mapBinary(7, a, b, out, count, aStep, bStep); break;
    case 8: mapBinary(8, a, b, out, count, aStep, bStep); break;
    case 9: mapBinary(9, a, b, out, count, aStep, bStep); break;
    case 10: mapBinary(10, a, b, out, count, aStep, bStep); break;
    case 11: mapBinary(11, a, b, out, count, aStep, bStep); break;
    case 12: mapBinary(12, a, b, out, count, aStep, bStep); break;
    case 13: mapBinary(13, a, b, out, count, aStep, bStep); break;
  }
}

@unmanaged
class BinaryParams {
  operator: u32;
  a: usize;
  b: usize;
  out: usize;
  count: u32;
}

export function binary(at: usize, task: u32): void {
  const p = changetype<BinaryParams>(at);
  const skip = task * CHUNK * 4;
  applyBinary(p.operator, p.a + skip, p.b + skip, p.out + skip, taskCount(task, p.count), 4, 4);
}

/**
 * Followed by rank × (length, step of the first operand, step of the second), outermost dimension first, steps in
 * bytes.
 */
@unmanaged
class BroadcastParams {
  operator: u32;
  a: usize;
  b: usize;
  out: usize;
  count: u32;
  rank: u32;
}

/**
 * Byte offset of flat element `index`, without its innermost coordinate, along the strides in word `which` of each
 * dimension.
 */
@inline
function outerOffset(dimensions: usize, rank: u32, row: u32, which: u32): i32 {
  let offset: i32 = 0;
  for (let k: i32 = (rank as i32) - 2; k >= 0; k--) {
    const dimension = dimensions + k * 12;
    const length = load<u32>(dimension);
    offset += ((row % length) as i32) * load<i32>(dimension + which * 4);
    row /= length;
  }
  return offset;
}

export function binaryBroadcast(at: usize, task: u32): void {
  const p = changetype<BroadcastParams>(at);
  const dimensions = at + offsetof<BroadcastParams>();
  const inner = dimensions + (p.rank - 1) * 12;
  const length = load<u32>(inner);
  const aStep = load<i32>(inner, 4);
  const bStep = load<i32>(inner, 8);
  let index = task * CHUNK;
  const end = index + taskCount(task, p.count);
  while (index < end) {
    const row = index / length;
    const column = index - row * length;
    const count = min<u32>(length - column, end - index);
    const a = p.a + outerOffset(dimensions, p.rank, row, 1) + column * aStep;
    const b = p.b + outerOffset(dimensions, p.rank, row, 2) + column * bStep;
    applyBinary(p.operator, a, b, p.out + index * 4, count, aStep, bStep);
    index += count;
  }
}

@unmanaged
class StridedCopyParams {
  x: usize;
  out: usize;
  count: u32;
  rank: u32;
}

export function stridedCopy(at: usize, task: u32): void {
  const p = changetype<StridedCopyParams>(at);
  const dimensions = at + offsetof<StridedCopyParams>();
  const inner = dimensions + (p.rank - 1) * 12;
  const length = load<u32>(inner);
  const xStep = load<i32>(inner, 4);
  const outStep = load<i32>(inner, 8);
  let index = task * CHUNK;
  const end = index + taskCount(task, p.count);
  while (index < end) {
    const row = index / length;
    const column = index - row * length;
    let count = min<u32>(length - column, end - index);
    index += count;
    let x = p.x + outerOffset(dimensions, p.rank, row, 1) + column * xStep;
    let out = p.out + outerOffset(dimensions, p.rank, row, 2) + column * outStep;
    if (xStep == 4 && outStep == 4) {
      memory.copy(out, x, count << 2);
      continue;
    }
    for (; count > 0; count--, x += xStep, out += outStep) store<f32>(out, load<f32>(x));
  }
}

@unmanaged
class FillParams {
  out: usize;
  count: u32;
  value: f32;
}

export function fill(at: usize, task: u32): void {
  const p = changetype<FillParams>(at);
  const count = taskCount(task, p.count);
  const value = f32x4.splat(p.value);
  let out = p.out + task * CHUNK * 4;
  const whole = out + ((count & ~3) << 2);
  const end = out + (count << 2);
  for (; out < whole; out += 16) v128.store(out, value);
  for (; out < end; out += 4) store<f32>(out, p.value);
}

@unmanaged
class CopyParams {
  x: usize;
  out: usize;
  count: u32;
}

/** Uploads from the staging area, and copies to it for reading. */
export function copyBytes(at: usize, task: u32): void {
  const p = changetype<CopyParams>(at);
  const skip = task * CHUNK * 4;
  memory.copy(p.out + skip, p.x + skip, taskCount(task, p.count) << 2);
}

export function accumulate(at: usize, task: u32): void {
  const p = changetype<CopyParams>(at);
  const skip = task * CHUNK * 4;
  mapBinary(0, p.out + skip, p.x + skip, p.out + skip, taskCount(task, p.count), 4, 4);
}

export function toFloat(at: usize, task: u32): void {
  const p = changetype<CopyParams>(at);
  const skip = task * CHUNK * 4;
  for (let x = p.x + skip, out = p.out + skip, end = x + (taskCount(task, p.count) << 2); x < end; x += 4, out += 4) {
    store<f32>(out, load<i32>(x) as f32);
  }
}

/** One task: the smallest index needs no combination. */
export function firstNonFinite(at: usize): void {
  const p = changetype<CopyParams>(at);
  const exponent = i32x4.splat(0x7f800000);
  let i: u32 = 0;
  while (i + 4 <= p.count && !v128.any_true(i32x4.eq(v128.and(v128.load(p.x + i * 4), exponent), exponent))) i += 4;
  while (i < p.count && (load<u32>(p.x + i * 4) & 0x7f800000) != 0x7f800000) i++;
  store<i32>(p.out, i < p.count ? i : -1);
}
