/**
 * The GEMM core for long sums along rows of pixels (the weight gradient): a tile of 4 outputs × 4 terms in sixteen vectors of
 * partial sums, s[i][j] += a[i]·b[j] four columns at a time. Both factors are read where they lie: no transposition, no splat.
 */

/**
 * Adds to `sums` (4 × 4 vectors) what one chunk of rows contributes. a0 … a3 are four rows of dy, b0 … b3 what four taps read;
 * both jump from row to row and image to image.
 */
export function multiplyRows(
  images: u32,
  rows: u32,
  vectors: u32,
  a0: usize,
  a1: usize,
  a2: usize,
  a3: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  b3: usize,
  aRowJump: u32,
  bRowJump: u32,
  aImageJump: u32,
  bImageJump: u32,
  sums: usize,
): void {
  let s00 = f32x4.splat(0);
  let s01 = f32x4.splat(0);
  let s02 = f32x4.splat(0);
  let s03 = f32x4.splat(0);
  let s10 = f32x4.splat(0);
  let s11 = f32x4.splat(0);
  let s12 = f32x4.splat(0);
  let s13 = f32x4.splat(0);
  let s20 = f32x4.splat(0);
  let s21 = f32x4.splat(0);
  let s22 = f32x4.splat(0);
  let s23 = f32x4.splat(0);
  let s30 = f32x4.splat(0);
  let s31 = f32x4.splat(0);
  let s32 = f32x4.splat(0);
  let s33 = f32x4.splat(0);
  for (; images > 0; images--) {
    for (let row: u32 = 0; row < rows; row++) {
      for (let v = vectors >> 1; v > 0; v--) {
        const x00 = v128.load(a0);
        const x01 = v128.load(a1);
        const x02 = v128.load(a2);
        const x03 = v128.load(a3);
        const y00 = v128.load(b0);
        s00 = f32x4.add(s00, f32x4.mul(x00, y00));
        s10 = f32x4.add(s10, f32x4.mul(x01, y00));
        s20 = f32x4.add(s20, f32x4.mul(x02, y00));
        s30 = f32x4.add(s30, f32x4.mul(x03, y00));
        const y01 = v128.load(b1);
        s01 = f32x4.add(s01, f32x4.mul(x00, y01));
        s11 = f32x4.add(s11, f32x4.mul(x01, y01));
        s21 = f32x4.add(s21, f32x4.mul(x02, y01));
        s31 = f32x4.add(s31, f32x4.mul(x03, y01));
        const y02 = v128.load(b2);
        s02 = f32x4.add(s02, f32x4.mul(x00, y02));
        s12 = f32x4.add(s12, f32x4.mul(x01, y02));
        s22 = f32x4.add(s22, f32x4.mul(x02, y02));
        s32 = f32x4.add(s32, f32x4.mul(x03, y02));
        const y03 = v128.load(b3);
        s03 = f32x4.add(s03, f32x4.mul(x00, y03));
        s13 = f32x4.add(s13, f32x4.mul(x01, y03));
        s23 = f32x4.add(s23, f32x4.mul(x02, y03));
        s33 = f32x4.add(s33, f32x4.mul(x03, y03));
        const x10 = v128.load(a0, 16);
        const x11 = v128.load(a1, 16);
        const x12 = v128.load(a2, 16);
        const x13 = v128.load(a3, 16);
        const y10 = v128.load(b0, 16);
        s00 = f32x4.add(s00, f32x4.mul(x10, y10));
        s10 = f32x4.add(s10, f32x4.mul(x11, y10));
        s20 = f32x4.add(s20, f32x4.mul(x12, y10));
        s30 = f32x4.add(s30, f32x4.mul(x13, y10));
        const y11 = v128.load(b1, 16);
        s01 = f32x4.add(s01, f32x4.mul(x10, y11));
        s11 = f32x4.add(s11, f32x4.mul(x11, y11));
        s21 = f32x4.add(s21, f32x4.mul(x12, y11));
        s31 = f32x4.add(s31, f32x4.mul(x13, y11));
        const y12 = v128.load(b2, 16);
        s02 = f32x4.add(s02, f32x4.mul(x10, y12));
        s12 = f32x4.add(s12, f32x4.mul(x11, y12));
        s22 = f32x4.add(s22, f32x4.mul(x12, y12));
        s32 = f32x4.add(s32, f32x4.mul(x13, y12));
        const y13 = v128.load(b3, 16);
        s03 = f32x4.add(s03, f32x4.mul(x10, y13));
        s13 = f32x4.add(s13, f32x4.mul(x11, y13));
        s23 = f32x4.add(s23, f32x4.mul(x12, y13));
        s33 = f32x4.add(s33, f32x4.mul(x13, y13));
        a0 += 32;
        a1 += 32;
        a2 += 32;
        a3 += 32;
        b0 += 32;
        b1 += 32;
        b2 += 32;
        b3 += 32;
      }
      if (vectors & 1) {
        const x00 = v128.load(a0);
        const x01 = v128.load(a1);
        const x02 = v128.load(a2);
        const x03 = v128.load(a3);
        const y00 = v128.load(b0);
        s00 = f32x4.add(s00, f32x4.mul(x00, y00));
        s10 = f32x4.add(s10, f32x4.mul(x01, y00));
        s20 = f32x4.add(s20, f32x4.mul(x02, y00));
        s30 = f32x4.add(s30, f32x4.mul(x03, y00));
        const y01 = v128.load(b1);
        s01 = f32x4.add(s01, f32x4.mul(x00, y01));
        s11 = f32x4.add(s11, f32x4.mul(x01, y01));
        s21 = f32x4.add(s21, f32x4.mul(x02, y01));
        s31 = f32x4.add(s31, f32x4.mul(x03, y01));
        const y02 = v128.load(b2);
        s02 = f32x4.add(s02, f32x4.mul(x00, y02));
        s12 = f32x4.add(s12, f32x4.mul(x01, y02));
        s22 = f32x4.add(s22, f32x4.mul(x02, y02));
        s32 = f32x4.add(s32, f32x4.mul(x03, y02));
        const y03 = v128.load(b3);
        s03 = f32x4.add(s03, f32x4.mul(x00, y03));
        s13 = f32x4.add(s13, f32x4.mul(x01, y03));
        s23 = f32x4.add(s23, f32x4.mul(x02, y03));
        s33 = f32x4.add(s33, f32x4.mul(x03, y03));
        a0 += 16;
        a1 += 16;
        a2 += 16;
        a3 += 16;
        b0 += 16;
        b1 += 16;
        b2 += 16;
        b3 += 16;
      }
      a0 += aRowJump;
      a1 += aRowJump;
      a2 += aRowJump;
      a3 += aRowJump;
      b0 += bRowJump;
      b1 += bRowJump;
      b2 += bRowJump;
      b3 += bRowJump;
    }
    a0 += aImageJump;
    a1 += aImageJump;
    a2 += aImageJump;
    a3 += aImageJump;
    b0 += bImageJump;
    b1 += bImageJump;
    b2 += bImageJump;
    b3 += bImageJump;
  }
  v128.store(sums, f32x4.add(v128.load(sums, 0), s00), 0);
  v128.store(sums, f32x4.add(v128.load(sums, 16), s01), 16);
  v128.store(sums, f32x4.add(v128.load(sums, 32), s02), 32);
  v128.store(sums, f32x4.add(v128.load(sums, 48), s03), 48);
  v128.store(sums, f32x4.add(v128.load(sums, 64), s10), 64);
  v128.store(sums, f32x4.add(v128.load(sums, 80), s11), 80);
  v128.store(sums, f32x4.add(v128.load(sums, 96), s12), 96);
  v128.store(sums, f32x4.add(v128.load(sums, 112), s13), 112);
  v128.store(sums, f32x4.add(v128.load(sums, 128), s20), 128);
  v128.store(sums, f32x4.add(v128.load(sums, 144), s21), 144);
  v128.store(sums, f32x4.add(v128.load(sums, 160), s22), 160);
  v128.store(sums, f32x4.add(v128.load(sums, 176), s23), 176);
  v128.store(sums, f32x4.add(v128.load(sums, 192), s30), 192);
  v128.store(sums, f32x4.add(v128.load(sums, 208), s31), 208);
  v128.store(sums, f32x4.add(v128.load(sums, 224), s32), 224);
  v128.store(sums, f32x4.add(v128.load(sums, 240), s33), 240);
}
