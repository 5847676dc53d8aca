/** Panels: the packed left operand of the GEMM core, (terms, 8 lanes). */
import { STEP, TILE } from '../layout';

/** Sums are filled up to a multiple of STEP terms. */
@inline
export function padded(terms: u32): u32 {
  return (terms + STEP - 1) & ~(STEP - 1);
}

/** Zeros after the last of `terms` terms of a panel. */
@inline
export function fillUp(panel: usize, terms: u32): void {
  memory.fill(panel + terms * TILE * 4, 0, (padded(terms) - terms) * TILE * 4);
}

/** out[j][i] = x[i][j] for four rows of four floats, which lie `stride` bytes apart in x and `pitch` bytes in `out`. */
@inline
export function transpose4(x: usize, stride: u32, out: usize, pitch: u32): void {
  const a = v128.load(x);
  const b = v128.load(x + stride);
  const c = v128.load(x + 2 * stride);
  const d = v128.load(x + 3 * stride);
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5));
  v128.store(out + pitch, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7));
  v128.store(out + 2 * pitch, v128.shuffle<f32>(ab1, cd1, 0, 1, 4, 5));
  v128.store(out + 3 * pitch, v128.shuffle<f32>(ab1, cd1, 2, 3, 6, 7));
}

/** `terms` terms of `lanes` ≤ 8 lanes, strides in bytes; missing lanes are zero. */
export function packPanel(x: usize, out: usize, lanes: u32, terms: u32, laneStride: u32, termStride: u32): void {
  let t: u32 = 0;
  if (lanes == TILE && laneStride == 4) {
    for (; t < terms; t++, x += termStride, out += TILE * 4) {
      v128.store(out, v128.load(x));
      v128.store(out, v128.load(x, 16), 16);
    }
  } else if (lanes == TILE && termStride == 4) {
    for (; t + 4 <= terms; t += 4, x += 16, out += TILE * 16) {
      transpose4(x, laneStride, out, TILE * 4);
      transpose4(x + 4 * laneStride, laneStride, out + 16, TILE * 4);
    }
  }
  for (; t < terms; t++, x += termStride, out += TILE * 4) {
    for (let lane: u32 = 0; lane < (TILE as u32); lane++) {
      store<f32>(out + lane * 4, lane < lanes ? load<f32>(x + lane * laneStride) : 0);
    }
  }
}
