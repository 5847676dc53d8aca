/**
 * The GEMM core: one register tile of 8 rows (output channels, rows of a matrix) × 8 columns (pixels, columns of a matrix), kept in
 * sixteen vectors s0 … s7 (columns 0 … 3) and t0 … t7 (columns 4 … 7):
 *
 *   c[i, j] = Σₚ a[p, i]·b[p, j]      a: a packed panel (k, 8)
 *
 * One multiplication and one addition per term, in the order of p: a fused multiply-add would round differently from machine
 * to machine. `c0` and `c1` are where columns 0 … 3 and 4 … 7 of row 0 go, `pitch` the bytes from row to row. With `accumulate`
 * the sum goes on from what is there (the next block of a long sum).
 */

/** Both operands packed: b is a panel (k, 8). */
export function multiplyPanels(
  k: u32,
  a: usize,
  b: usize,
  c0: usize,
  c1: usize,
  pitch: usize,
  accumulate: bool,
): void {
  let s0 = f32x4.splat(0);
  let t0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let t1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let t2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let t3 = f32x4.splat(0);
  let s4 = f32x4.splat(0);
  let t4 = f32x4.splat(0);
  let s5 = f32x4.splat(0);
  let t5 = f32x4.splat(0);
  let s6 = f32x4.splat(0);
  let t6 = f32x4.splat(0);
  let s7 = f32x4.splat(0);
  let t7 = f32x4.splat(0);
  if (accumulate) {
    s0 = v128.load(c0);
    t0 = v128.load(c1);
    s1 = v128.load(c0 + pitch);
    t1 = v128.load(c1 + pitch);
    s2 = v128.load(c0 + 2 * pitch);
    t2 = v128.load(c1 + 2 * pitch);
    s3 = v128.load(c0 + 3 * pitch);
    t3 = v128.load(c1 + 3 * pitch);
    s4 = v128.load(c0 + 4 * pitch);
    t4 = v128.load(c1 + 4 * pitch);
    s5 = v128.load(c0 + 5 * pitch);
    t5 = v128.load(c1 + 5 * pitch);
    s6 = v128.load(c0 + 6 * pitch);
    t6 = v128.load(c1 + 6 * pitch);
    s7 = v128.load(c0 + 7 * pitch);
    t7 = v128.load(c1 + 7 * pitch);
  }
  for (const end = a + (k & ~1) * 32; a < end; ) {
    const p0 = v128.load(b);
    const q0 = v128.load(b, 16);
    const a00 = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(a00, p0));
    t0 = f32x4.add(t0, f32x4.mul(a00, q0));
    const a01 = v128.load32_splat(a, 4);
    s1 = f32x4.add(s1, f32x4.mul(a01, p0));
    t1 = f32x4.add(t1, f32x4.mul(a01, q0));
    const a02 = v128.load32_splat(a, 8);
    s2 = f32x4.add(s2, f32x4.mul(a02, p0));
    t2 = f32x4.add(t2, f32x4.mul(a02, q0));
    const a03 = v128.load32_splat(a, 12);
    s3 = f32x4.add(s3, f32x4.mul(a03, p0));
    t3 = f32x4.add(t3, f32x4.mul(a03, q0));
    const a04 = v128.load32_splat(a, 16);
    s4 = f32x4.add(s4, f32x4.mul(a04, p0));
    t4 = f32x4.add(t4, f32x4.mul(a04, q0));
    const a05 = v128.load32_splat(a, 20);
    s5 = f32x4.add(s5, f32x4.mul(a05, p0));
    t5 = f32x4.add(t5, f32x4.mul(a05, q0));
    const a06 = v128.load32_splat(a, 24);
    s6 = f32x4.add(s6, f32x4.mul(a06, p0));
    t6 = f32x4.add(t6, f32x4.mul(a06, q0));
    const a07 = v128.load32_splat(a, 28);
    s7 = f32x4.add(s7, f32x4.mul(a07, p0));
    t7 = f32x4.add(t7, f32x4.mul(a07, q0));
    const p1 = v128.load(b, 32);
    const q1 = v128.load(b, 48);
    const a10 = v128.load32_splat(a, 32);
    s0 = f32x4.add(s0, f32x4.mul(a10, p1));
    t0 = f32x4.add(t0, f32x4.mul(a10, q1));
    const a11 = v128.load32_splat(a, 36);
    s1 = f32x4.add(s1, f32x4.mul(a11, p1));
    t1 = f32x4.add(t1, f32x4.mul(a11, q1));
    const a12 = v128.load32_splat(a, 40);
    s2 = f32x4.add(s2, f32x4.mul(a12, p1));
    t2 = f32x4.add(t2, f32x4.mul(a12, q1));
    const a13 = v128.load32_splat(a, 44);
    s3 = f32x4.add(s3, f32x4.mul(a13, p1));
    t3 = f32x4.add(t3, f32x4.mul(a13, q1));
    const a14 = v128.load32_splat(a, 48);
    s4 = f32x4.add(s4, f32x4.mul(a14, p1));
    t4 = f32x4.add(t4, f32x4.mul(a14, q1));
    const a15 = v128.load32_splat(a, 52);
    s5 = f32x4.add(s5, f32x4.mul(a15, p1));
    t5 = f32x4.add(t5, f32x4.mul(a15, q1));
    const a16 = v128.load32_splat(a, 56);
    s6 = f32x4.add(s6, f32x4.mul(a16, p1));
    t6 = f32x4.add(t6, f32x4.mul(a16, q1));
    const a17 = v128.load32_splat(a, 60);
    s7 = f32x4.add(s7, f32x4.mul(a17, p1));
    t7 = f32x4.add(t7, f32x4.mul(a17, q1));
    a += 64;
    b += 64;
  }
  for (k &= 1; k > 0; k--) {
    const p0 = v128.load(b);
    const q0 = v128.load(b, 16);
    const a00 = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(a00, p0));
    t0 = f32x4.add(t0, f32x4.mul(a00, q0));
    const a01 = v128.load32_splat(a, 4);
    s1 = f32x4.add(s1, f32x4.mul(a01, p0));
    t1 = f32x4.add(t1, f32x4.mul(a01, q0));
    const a02 = v128.load32_splat(a, 8);
    s2 = f32x4.add(s2, f32x4.mul(a02, p0));
    t2 = f32x4.add(t2, f32x4.mul(a02, q0));
    const a03 = v128.load32_splat(a, 12);
    s3 = f32x4.add(s3, f32x4.mul(a03, p0));
    t3 = f32x4.add(t3, f32x4.mul(a03, q0));
    const a04 = v128.load32_splat(a, 16);
    s4 = f32x4.add(s4, f32x4.mul(a04, p0));
    t4 = f32x4.add(t4, f32x4.mul(a04, q0));
    const a05 = v128.load32_splat(a, 20);
    s5 = f32x4.add(s5, f32x4.mul(a05, p0));
    t5 = f32x4.add(t5, f32x4.mul(a05, q0));
    const a06 = v128.load32_splat(a, 24);
    s6 = f32x4.add(s6, f32x4.mul(a06, p0));
    t6 = f32x4.add(t6, f32x4.mul(a06, q0));
    const a07 = v128.load32_splat(a, 28);
    s7 = f32x4.add(s7, f32x4.mul(a07, p0));
    t7 = f32x4.add(t7, f32x4.mul(a07, q0));
    a += 32;
    b += 32;
  }
  v128.store(c0, s0);
  v128.store(c1, t0);
  v128.store(c0 + pitch, s1);
  v128.store(c1 + pitch, t1);
  v128.store(c0 + 2 * pitch, s2);
  v128.store(c1 + 2 * pitch, t2);
  v128.store(c0 + 3 * pitch, s3);
  v128.store(c1 + 3 * pitch, t3);
  v128.store(c0 + 4 * pitch, s4);
  v128.store(c1 + 4 * pitch, t4);
  v128.store(c0 + 5 * pitch, s5);
  v128.store(c1 + 5 * pitch, t5);
  v128.store(c0 + 6 * pitch, s6);
  v128.store(c1 + 6 * pitch, t6);
  v128.store(c0 + 7 * pitch, s7);
  v128.store(c1 + 7 * pitch, t7);
}

/**
 * The right operand in place: columns 0 … 3 and 4 … 7 of term p lie at b0 + offsets[p] and b1 + offsets[p]. With the taps of a
 * convolution as offsets into a padded image this is implicit GEMM, without the ninefold copy that im2col makes.
 */
export function multiplyTaps(
  k: u32,
  a: usize,
  offsets: usize,
  b0: usize,
  b1: usize,
  c0: usize,
  c1: usize,
  pitch: usize,
  accumulate: bool,
): void {
  let s0 = f32x4.splat(0);
  let t0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let t1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let t2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  let t3 = f32x4.splat(0);
  let s4 = f32x4.splat(0);
  let t4 = f32x4.splat(0);
  let s5 = f32x4.splat(0);
  let t5 = f32x4.splat(0);
  let s6 = f32x4.splat(0);
  let t6 = f32x4.splat(0);
  let s7 = f32x4.splat(0);
  let t7 = f32x4.splat(0);
  if (accumulate) {
    s0 = v128.load(c0);
    t0 = v128.load(c1);
    s1 = v128.load(c0 + pitch);
    t1 = v128.load(c1 + pitch);
    s2 = v128.load(c0 + 2 * pitch);
    t2 = v128.load(c1 + 2 * pitch);
    s3 = v128.load(c0 + 3 * pitch);
    t3 = v128.load(c1 + 3 * pitch);
    s4 = v128.load(c0 + 4 * pitch);
    t4 = v128.load(c1 + 4 * pitch);
    s5 = v128.load(c0 + 5 * pitch);
    t5 = v128.load(c1 + 5 * pitch);
    s6 = v128.load(c0 + 6 * pitch);
    t6 = v128.load(c1 + 6 * pitch);
    s7 = v128.load(c0 + 7 * pitch);
    t7 = v128.load(c1 + 7 * pitch);
  }
  for (const end = a + (k & ~3) * 32; a < end; ) {
    const o0 = load<u32>(offsets);
    const p0 = v128.load(b0 + o0);
    const q0 = v128.load(b1 + o0);
    const a00 = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(a00, p0));
    t0 = f32x4.add(t0, f32x4.mul(a00, q0));
    const a01 = v128.load32_splat(a, 4);
    s1 = f32x4.add(s1, f32x4.mul(a01, p0));
    t1 = f32x4.add(t1, f32x4.mul(a01, q0));
    const a02 = v128.load32_splat(a, 8);
    s2 = f32x4.add(s2, f32x4.mul(a02, p0));
    t2 = f32x4.add(t2, f32x4.mul(a02, q0));
    const a03 = v128.load32_splat(a, 12);
    s3 = f32x4.add(s3, f32x4.mul(a03, p0));
    t3 = f32x4.add(t3, f32x4.mul(a03, q0));
    const a04 = v128.load32_splat(a, 16);
    s4 = f32x4.add(s4, f32x4.mul(a04, p0));
    t4 = f32x4.add(t4, f32x4.mul(a04, q0));
    const a05 = v128.load32_splat(a, 20);
    s5 = f32x4.add(s5, f32x4.mul(a05, p0));
    t5 = f32x4.add(t5, f32x4.mul(a05, q0));
    const a06 = v128.load32_splat(a, 24);
    s6 = f32x4.add(s6, f32x4.mul(a06, p0));
    t6 = f32x4.add(t6, f32x4.mul(a06, q0));
    const a07 = v128.load32_splat(a, 28);
    s7 = f32x4.add(s7, f32x4.mul(a07, p0));
    t7 = f32x4.add(t7, f32x4.mul(a07, q0));
    const o1 = load<u32>(offsets, 4);
    const p1 = v128.load(b0 + o1);
    const q1 = v128.load(b1 + o1);
    const a10 = v128.load32_splat(a, 32);
    s0 = f32x4.add(s0, f32x4.mul(a10, p1));
    t0 = f32x4.add(t0, f32x4.mul(a10, q1));
    const a11 = v128.load32_splat(a, 36);
    s1 = f32x4.add(s1, f32x4.mul(a11, p1));
    t1 = f32x4.add(t1, f32x4.mul(a11, q1));
    const a12 = v128.load32_splat(a, 40);
    s2 = f32x4.add(s2, f32x4.mul(a12, p1));
    t2 = f32x4.add(t2, f32x4.mul(a12, q1));
    const a13 = v128.load32_splat(a, 44);
    s3 = f32x4.add(s3, f32x4.mul(a13, p1));
    t3 = f32x4.add(t3, f32x4.mul(a13, q1));
    const a14 = v128.load32_splat(a, 48);
    s4 = f32x4.add(s4, f32x4.mul(a14, p1));
    t4 = f32x4.add(t4, f32x4.mul(a14, q1));
    const a15 = v128.load32_splat(a, 52);
    s5 = f32x4.add(s5, f32x4.mul(a15, p1));
    t5 = f32x4.add(t5, f32x4.mul(a15, q1));
    const a16 = v128.load32_splat(a, 56);
    s6 = f32x4.add(s6, f32x4.mul(a16, p1));
    t6 = f32x4.add(t6, f32x4.mul(a16, q1));
    const a17 = v128.load32_splat(a, 60);
    s7 = f32x4.add(s7, f32x4.mul(a17, p1));
    t7 = f32x4.add(t7, f32x4.mul(a17, q1));
    const o2 = load<u32>(offsets, 8);
    const p2 = v128.load(b0 + o2);
    const q2 = v128.load(b1 + o2);
    const a20 = v128.load32_splat(a, 64);
    s0 = f32x4.add(s0, f32x4.mul(a20, p2));
    t0 = f32x4.add(t0, f32x4.mul(a20, q2));
    const a21 = v128.load32_splat(a, 68);
    s1 = f32x4.add(s1, f32x4.mul(a21, p2));
    t1 = f32x4.add(t1, f32x4.mul(a21, q2));
    const a22 = v128.load32_splat(a, 72);
    s2 = f32x4.add(s2, f32x4.mul(a22, p2));
    t2 = f32x4.add(t2, f32x4.mul(a22, q2));
    const a23 = v128.load32_splat(a, 76);
    s3 = f32x4.add(s3, f32x4.mul(a23, p2));
    t3 = f32x4.add(t3, f32x4.mul(a23, q2));
    const a24 = v128.load32_splat(a, 80);
    s4 = f32x4.add(s4, f32x4.mul(a24, p2));
    t4 = f32x4.add(t4, f32x4.mul(a24, q2));
    const a25 = v128.load32_splat(a, 84);
    s5 = f32x4.add(s5, f32x4.mul(a25, p2));
    t5 = f32x4.add(t5, f32x4.mul(a25, q2));
    const a26 = v128.load32_splat(a, 88);
    s6 = f32x4.add(s6, f32x4.mul(a26, p2));
    t6 = f32x4.add(t6, f32x4.mul(a26, q2));
    const a27 = v128.load32_splat(a, 92);
    s7 = f32x4.add(s7, f32x4.mul(a27, p2));
    t7 = f32x4.add(t7, f32x4.mul(a27, q2));
    const o3 = load<u32>(offsets, 12);
    const p3 = v128.load(b0 + o3);
    const q3 = v128.load(b1 + o3);
    const a30 = v128.load32_splat(a, 96);
    s0 = f32x4.add(s0, f32x4.mul(a30, p3));
    t0 = f32x4.add(t0, f32x4.mul(a30, q3));
    const a31 = v128.load32_splat(a, 100);
    s1 = f32x4.add(s1, f32x4.mul(a31, p3));
    t1 = f32x4.add(t1, f32x4.mul(a31, q3));
    const a32 = v128.load32_splat(a, 104);
    s2 = f32x4.add(s2, f32x4.mul(a32, p3));
    t2 = f32x4.add(t2, f32x4.mul(a32, q3));
    const a33 = v128.load32_splat(a, 108);
    s3 = f32x4.add(s3, f32x4.mul(a33, p3));
    t3 = f32x4.add(t3, f32x4.mul(a33, q3));
    const a34 = v128.load32_splat(a, 112);
    s4 = f32x4.add(s4, f32x4.mul(a34, p3));
    t4 = f32x4.add(t4, f32x4.mul(a34, q3));
    const a35 = v128.load32_splat(a, 116);
    s5 = f32x4.add(s5, f32x4.mul(a35, p3));
    t5 = f32x4.add(t5, f32x4.mul(a35, q3));
    const a36 = v128.load32_splat(a, 120);
    s6 = f32x4.add(s6, f32x4.mul(a36, p3));
    t6 = f32x4.add(t6, f32x4.mul(a36, q3));
    const a37 = v128.load32_splat(a, 124);
    s7 = f32x4.add(s7, f32x4.mul(a37, p3));
    t7 = f32x4.add(t7, f32x4.mul(a37, q3));
    a += 128;
    offsets += 16;
  }
  for (k &= 3; k > 0; k--) {
    const o0 = load<u32>(offsets);
    const p0 = v128.load(b0 + o0);
    const q0 = v128.load(b1 + o0);
    const a00 = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(a00, p0));
    t0 = f32x4.add(t0, f32x4.mul(a00, q0));
    const a01 = v128.load32_splat(a, 4);
    s1 = f32x4.add(s1, f32x4.mul(a01, p0));
    t1 = f32x4.add(t1, f32x4.mul(a01, q0));
    const a02 = v128.load32_splat(a, 8);
    s2 = f32x4.add(s2, f32x4.mul(a02, p0));
    t2 = f32x4.add(t2, f32x4.mul(a02, q0));
    const a03 = v128.load32_splat(a, 12);
    s3 = f32x4.add(s3, f32x4.mul(a03, p0));
    t3 = f32x4.add(t3, f32x4.mul(a03, q0));
    const a04 = v128.load32_splat(a, 16);
    s4 = f32x4.add(s4, f32x4.mul(a04, p0));
    t4 = f32x4.add(t4, f32x4.mul(a04, q0));
    const a05 = v128.load32_splat(a, 20);
    s5 = f32x4.add(s5, f32x4.mul(a05, p0));
    t5 = f32x4.add(t5, f32x4.mul(a05, q0));
    const a06 = v128.load32_splat(a, 24);
    s6 = f32x4.add(s6, f32x4.mul(a06, p0));
    t6 = f32x4.add(t6, f32x4.mul(a06, q0));
    const a07 = v128.load32_splat(a, 28);
    s7 = f32x4.add(s7, f32x4.mul(a07, p0));
    t7 = f32x4.add(t7, f32x4.mul(a07, q0));
    a += 32;
    offsets += 4;
  }
  v128.store(c0, s0);
  v128.store(c1, t0);
  v128.store(c0 + pitch, s1);
  v128.store(c1 + pitch, t1);
  v128.store(c0 + 2 * pitch, s2);
  v128.store(c1 + 2 * pitch, t2);
  v128.store(c0 + 3 * pitch, s3);
  v128.store(c1 + 3 * pitch, t3);
  v128.store(c0 + 4 * pitch, s4);
  v128.store(c1 + 4 * pitch, t4);
  v128.store(c0 + 5 * pitch, s5);
  v128.store(c1 + 5 * pitch, t5);
  v128.store(c0 + 6 * pitch, s6);
  v128.store(c1 + 6 * pitch, t6);
  v128.store(c0 + 7 * pitch, s7);
  v128.store(c1 + 7 * pitch, t7);
}
