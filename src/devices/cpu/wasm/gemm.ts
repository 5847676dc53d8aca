/**
 * The GEMM core, which every matrix product and convolution ends in: one register tile of 8 rows (output channels, rows
 * of a matrix) × 8 columns (pixels, channels, columns of a matrix) in sixteen vectors, s0 … s7 for columns 0 … 3 and t0
 * … t7 for 4 … 7:
 *
 *   c[i, j] = start[i, j] + Σₚ a[p, i]·b[p, j]
 *
 * `a` is a packed panel (k, 8). `b` is read where it lies: columns 0 … 3 and 4 … 7 of term p are four floats each at
 * b0 + offsets[p] and b1 + offsets[p]. With the taps of a convolution as offsets into a padded image that is implicit
 * GEMM, without the ninefold copy of im2col. k is a multiple of 4: what is missing is filled up with zeros in `a`.
 *
 * `c0` and `c1` are the places of columns 0 … 3 and 4 … 7 of row 0, `pitch` the bytes from row to row; `start0`,
 * `start1` and `startPitch` likewise, either c itself (to go on with a sum) or ZEROS. Multiplication and addition round
 * separately, in the order of p: a fused multiply-add would give other bits on other machines.
 */
export function multiplyTile(
  k: u32,
  a: usize,
  offsets: usize,
  b0: usize,
  b1: usize,
  start0: usize,
  start1: usize,
  startPitch: usize,
  c0: usize,
  c1: usize,
  pitch: usize,
): void {
  let s0 = v128.load(start0);
  let t0 = v128.load(start1);
  let s1 = v128.load(start0 + startPitch);
  let t1 = v128.load(start1 + startPitch);
  let s2 = v128.load(start0 + 2 * startPitch);
  let t2 = v128.load(start1 + 2 * startPitch);
  let s3 = v128.load(start0 + 3 * startPitch);
  let t3 = v128.load(start1 + 3 * startPitch);
  let s4 = v128.load(start0 + 4 * startPitch);
  let t4 = v128.load(start1 + 4 * startPitch);
  let s5 = v128.load(start0 + 5 * startPitch);
  let t5 = v128.load(start1 + 5 * startPitch);
  let s6 = v128.load(start0 + 6 * startPitch);
  let t6 = v128.load(start1 + 6 * startPitch);
  let s7 = v128.load(start0 + 7 * startPitch);
  let t7 = v128.load(start1 + 7 * startPitch);
  for (let p: u32 = 0; p < k; p += 4) {
    const offset0 = load<u32>(offsets);
    const p0 = v128.load(b0 + offset0);
    const q0 = v128.load(b1 + offset0);
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
    const offset1 = load<u32>(offsets, 4);
    const p1 = v128.load(b0 + offset1);
    const q1 = v128.load(b1 + offset1);
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
    const offset2 = load<u32>(offsets, 8);
    const p2 = v128.load(b0 + offset2);
    const q2 = v128.load(b1 + offset2);
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
    const offset3 = load<u32>(offsets, 12);
    const p3 = v128.load(b0 + offset3);
    const q3 = v128.load(b1 + offset3);
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
