/**
 * The peak of one WebAssembly thread, in AssemblyScript. `multiplyAdd`: twelve independent sums in registers, each a chain
 *
 *   s ← s·x + y      one multiplication, one addition of four floats; no memory
 *
 * which is as many as sixteen vector registers hold beside x, y and a product in flight, and enough to hide the latency of both
 * operations; two steps an iteration. Returns a number made of all sums, so that none can be dropped.
 */
export function multiplyAdd(iterations: u32, x0: f32, y0: f32): f32 {
  const x = f32x4.splat(x0);
  const y = f32x4.splat(y0);
  let s0 = f32x4.splat(0.0);
  let s1 = f32x4.splat(0.1);
  let s2 = f32x4.splat(0.2);
  let s3 = f32x4.splat(0.3);
  let s4 = f32x4.splat(0.4);
  let s5 = f32x4.splat(0.5);
  let s6 = f32x4.splat(0.6);
  let s7 = f32x4.splat(0.7);
  let s8 = f32x4.splat(0.8);
  let s9 = f32x4.splat(0.9);
  let s10 = f32x4.splat(1.0);
  let s11 = f32x4.splat(1.1);
  for (let i: u32 = 0; i < iterations; i++) {
    s0 = f32x4.add(f32x4.mul(s0, x), y);
    s1 = f32x4.add(f32x4.mul(s1, x), y);
    s2 = f32x4.add(f32x4.mul(s2, x), y);
    s3 = f32x4.add(f32x4.mul(s3, x), y);
    s4 = f32x4.add(f32x4.mul(s4, x), y);
    s5 = f32x4.add(f32x4.mul(s5, x), y);
    s6 = f32x4.add(f32x4.mul(s6, x), y);
    s7 = f32x4.add(f32x4.mul(s7, x), y);
    s8 = f32x4.add(f32x4.mul(s8, x), y);
    s9 = f32x4.add(f32x4.mul(s9, x), y);
    s10 = f32x4.add(f32x4.mul(s10, x), y);
    s11 = f32x4.add(f32x4.mul(s11, x), y);
    s0 = f32x4.add(f32x4.mul(s0, x), y);
    s1 = f32x4.add(f32x4.mul(s1, x), y);
    s2 = f32x4.add(f32x4.mul(s2, x), y);
    s3 = f32x4.add(f32x4.mul(s3, x), y);
    s4 = f32x4.add(f32x4.mul(s4, x), y);
    s5 = f32x4.add(f32x4.mul(s5, x), y);
    s6 = f32x4.add(f32x4.mul(s6, x), y);
    s7 = f32x4.add(f32x4.mul(s7, x), y);
    s8 = f32x4.add(f32x4.mul(s8, x), y);
    s9 = f32x4.add(f32x4.mul(s9, x), y);
    s10 = f32x4.add(f32x4.mul(s10, x), y);
    s11 = f32x4.add(f32x4.mul(s11, x), y);
  }
  const a = f32x4.add(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)), f32x4.add(f32x4.add(s4, s5), f32x4.add(s6, s7)));
  const b = f32x4.add(f32x4.add(s8, s9), f32x4.add(s10, s11));
  const sum = f32x4.add(a, b);
  return (
    f32x4.extract_lane(sum, 0) +
    f32x4.extract_lane(sum, 1) +
    f32x4.extract_lane(sum, 2) +
    f32x4.extract_lane(sum, 3)
  );
}

/** Copies a multiple of 64 bytes. */
export function copy(from: usize, to: usize, bytes: usize): void {
  for (const end = from + bytes; from < end; ) {
    const a = v128.load(from);
    const b = v128.load(from, 16);
    const c = v128.load(from, 32);
    const d = v128.load(from, 48);
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
    from += 64;
    to += 64;
  }
}
