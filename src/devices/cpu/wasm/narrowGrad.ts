/**
 * Weight gradient of a depthwise convolution (one input channel to a group): for each tap a sum of products of two
 * planes,
 *
 *   dw[o, tap] = Σ over images n, rows i, columns j of dy[n, o, i, j]·x[n, c, i, j; tap]
 *
 * by vectors of four columns, four taps at a time.
 */
import { ImageLayout, packImage } from './image';
import { sumLanes } from './math';

@unmanaged
class NarrowGradParams {
  x: usize;
  dy: usize;
  /** (split, output, tap): one input channel to a group. */
  out: usize;
  groups: u32;
  lanes: u32;
  outHeight: u32;
  outWidth: u32;
  /** Rows (n, i) in all, and of a split. */
  rows: u32;
  rowsPerSplit: u32;
  groupsPerTask: u32;
  groupBlocks: u32;
  rowsPerChunk: u32;
  extraRows: u32;
  taps: u32;
  /** Per thread: sums, packed x, packed dy; bytes of each and of all. */
  scratch: usize;
  scratchBytes: u32;
  sumBytes: u32;
  imageBytes: u32;
}

/** Adds to four sums (vectors) the products of one plane of dy with what four taps read; rows of `vectors` vectors. */
export function multiplyPlane(
  rows: u32,
  vectors: u32,
  a: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  b3: usize,
  bRowJump: u32,
  sums: usize,
): void {
  let s0 = v128.load(sums);
  let s1 = v128.load(sums, 16);
  let s2 = v128.load(sums, 32);
  let s3 = v128.load(sums, 48);
  for (; rows > 0; rows--) {
    for (let v: u32 = 0; v < vectors; v++) {
      const value = v128.load(a);
      s0 = f32x4.add(s0, f32x4.mul(value, v128.load(b0)));
      s1 = f32x4.add(s1, f32x4.mul(value, v128.load(b1)));
      s2 = f32x4.add(s2, f32x4.mul(value, v128.load(b2)));
      s3 = f32x4.add(s3, f32x4.mul(value, v128.load(b3)));
      a += 16;
      b0 += 16;
      b1 += 16;
      b2 += 16;
      b3 += 16;
    }
    b0 += bRowJump;
    b1 += bRowJump;
    b2 += bRowJump;
    b3 += bRowJump;
  }
  v128.store(sums, s0);
  v128.store(sums, s1, 16);
  v128.store(sums, s2, 32);
  v128.store(sums, s3, 48);
}

/** Packs rows of dy so that each is a whole number of vectors, unless it already is. Returns where they are. */
@inline
function alignedRows(layout: ImageLayout, dy: usize, first: u32, rows: u32, packed: usize): usize {
  if (layout.pitch == layout.width) return dy + first * layout.width * 4;
  packImage(layout, dy, 1, first, rows, packed);
  return packed;
}

function gradOfGroup(
  p: NarrowGradParams,
  x: ImageLayout,
  dy: ImageLayout,
  offsets: usize,
  group: u32,
  split: u32,
  scratch: usize,
): void {
  const packedX = scratch + p.sumBytes;
  const packedDy = packedX + p.imageBytes;
  const xPlane = x.height * x.width * 4;
  const dyPlane = dy.height * dy.width * 4;
  const vectors: u32 = dy.pitch / 4;
  const jump = (x.pitch - dy.pitch) * 4;
  const tapTiles = (p.taps + 3) / 4;
  memory.fill(scratch, 0, p.lanes * tapTiles * 64);
  const end = min<u32>(p.rows, (split + 1) * p.rowsPerSplit);
  for (let row = split * p.rowsPerSplit; row < end; ) {
    const plane = (row / p.outHeight) * p.groups + group;
    const i = row % p.outHeight;
    const rows = min<u32>(p.rowsPerChunk, min<u32>(p.outHeight - i, end - row));
    row += rows;
    packImage(x, p.x + plane * xPlane, 1, i, rows + p.extraRows, packedX);
    for (let lane: u32 = 0; lane < p.lanes; lane++) {
      const a = alignedRows(dy, p.dy + (plane * p.lanes + lane) * dyPlane, i, rows, packedDy);
      for (let tile: u32 = 0; tile < tapTiles; tile++) {
        const four = offsets + tile * 16;
        const b0 = packedX + load<u32>(four);
        const b1 = packedX + load<u32>(four, 4);
        const b2 = packedX + load<u32>(four, 8);
        const b3 = packedX + load<u32>(four, 12);
        multiplyPlane(rows, vectors, a, b0, b1, b2, b3, jump, scratch + (lane * tapTiles + tile) * 64);
      }
    }
  }
  for (let lane: u32 = 0; lane < p.lanes; lane++) {
    const out = p.out + ((split * p.groups + group) * p.lanes + lane) * p.taps * 4;
    const sums = scratch + lane * tapTiles * 64;
    for (let tap: u32 = 0; tap < p.taps; tap++) store<f32>(out + tap * 4, sumLanes(v128.load(sums + tap * 16)));
  }
}

/**
 * A task is some groups of one split. The layouts of x and dy follow the parameters, then the taps' offsets, a multiple
 * of four.
 */
export function narrowWeightGrad(at: usize, task: u32, thread: u32): void {
  const p = changetype<NarrowGradParams>(at);
  const x = changetype<ImageLayout>(at + offsetof<NarrowGradParams>());
  const dy = changetype<ImageLayout>(at + offsetof<NarrowGradParams>() + offsetof<ImageLayout>());
  const offsets = at + offsetof<NarrowGradParams>() + 2 * offsetof<ImageLayout>();
  const split = task / p.groupBlocks;
  const first = (task - split * p.groupBlocks) * p.groupsPerTask;
  const end = min<u32>(p.groups, first + p.groupsPerTask);
  const scratch = p.scratch + thread * p.scratchBytes;
  for (let group = first; group < end; group++) gradOfGroup(p, x, dy, offsets, group, split, scratch);
}
