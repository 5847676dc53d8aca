/**
 * Weight gradient of a convolution, by parts of the sum:
 *
 *   dw[s, o, c, tap] = Σ over the rows (n, i) of split s, and columns j, of dy[n, o, i, j]·x[n, c, i, j; tap]
 *
 * A task is one split, group, block of channels and block of outputs. It walks its rows in chunks: packs the chunk of x (and of dy
 * where rows are no whole number of vectors), then multiplies tile by tile. Partial sums stay vectors until the split is done.
 */
import { multiplyRows } from './gemmRows';
import { ImageLayout, packImage } from './image';
import { sumLanes } from './math';

@unmanaged
class WeightGradParams {
  x: usize;
  dy: usize;
  dw: usize;
  groups: u32;
  /** Channels and outputs of a group. */
  channels: u32;
  lanes: u32;
  outHeight: u32;
  outWidth: u32;
  batch: u32;
  splits: u32;
  channelsPerBlock: u32;
  channelBlocks: u32;
  lanesPerBlock: u32;
  laneBlocks: u32;
  rowsPerChunk: u32;
  imagesPerChunk: u32;
  /** Rows that taps reach beyond those of a chunk. */
  extraRows: u32;
  taps: u32;
  /** Whether x, dy are packed, or used as they lie. */
  packsImage: u32;
  packsGradient: u32;
  /** Per thread: offsets of the terms, partial sums, packed x, packed dy; bytes of each part and of the whole. */
  scratch: usize;
  scratchBytes: u32;
  offsetBytes: u32;
  sumBytes: u32;
  imageBytes: u32;
}

/** What a task works on. */
@unmanaged
class Chunk {
  images: u32;
  rows: u32;
  a: usize;
  aLane: u32;
  aRow: u32;
  aImage: u32;
  b: usize;
  bRow: u32;
  bImage: u32;
}

@inline
function laneOf(chunk: Chunk, lane: u32, lanes: u32): usize {
  return chunk.a + min<u32>(lane, lanes - 1) * chunk.aLane;
}

@inline
function termOf(chunk: Chunk, offsets: usize, term: u32, terms: u32): usize {
  return chunk.b + load<u32>(offsets + min<u32>(term, terms - 1) * 4);
}

/** Tiles past the last output or term repeat it; `writeSums` leaves those sums out. */
function multiplyChunk(chunk: Chunk, lanes: u32, terms: u32, vectors: u32, offsets: usize, sums: usize): void {
  const rowBytes = vectors * 16;
  const aRowJump = chunk.aRow - rowBytes;
  const bRowJump = chunk.bRow - rowBytes;
  const aImageJump = chunk.aImage - chunk.rows * chunk.aRow;
  const bImageJump = chunk.bImage - chunk.rows * chunk.bRow;
  for (let term: u32 = 0; term < terms; term += 4) {
    const b0 = termOf(chunk, offsets, term, terms);
    const b1 = termOf(chunk, offsets, term + 1, terms);
    const b2 = termOf(chunk, offsets, term + 2, terms);
    const b3 = termOf(chunk, offsets, term + 3, terms);
    for (let lane: u32 = 0; lane < lanes; lane += 4, sums += 256) {
      const a0 = laneOf(chunk, lane, lanes);
      const a1 = laneOf(chunk, lane + 1, lanes);
      const a2 = laneOf(chunk, lane + 2, lanes);
      const a3 = laneOf(chunk, lane + 3, lanes);
      // biome-ignore format: one line per group of arguments
      multiplyRows(chunk.images, chunk.rows, vectors, a0, a1, a2, a3, b0, b1, b2, b3, aRowJump, bRowJump, aImageJump, bImageJump, sums);
    }
  }
}

/** dw is (lanes, channels·taps) from `out` on, of which this block is `lanes` × `terms`. */
function writeSums(sums: usize, out: usize, pitch: u32, lanes: u32, terms: u32): void {
  for (let term: u32 = 0; term < terms; term += 4) {
    for (let lane: u32 = 0; lane < lanes; lane += 4, sums += 256) {
      for (let i: u32 = 0; i < min<u32>(4, lanes - lane); i++) {
        for (let j: u32 = 0; j < min<u32>(4, terms - term); j++) {
          store<f32>(out + (lane + i) * pitch + (term + j) * 4, sumLanes(v128.load(sums + (i * 4 + j) * 16)));
        }
      }
    }
  }
}

export function weightGrad(at: usize, task: u32, thread: u32): void {
  const p = changetype<WeightGradParams>(at);
  const xLayout = changetype<ImageLayout>(at + offsetof<WeightGradParams>());
  const dyLayout = changetype<ImageLayout>(at + offsetof<WeightGradParams>() + offsetof<ImageLayout>());
  const chunk = changetype<Chunk>(p.scratch + thread * p.scratchBytes);
  const offsets = changetype<usize>(chunk) + 64;
  const sums = offsets + p.offsetBytes;
  const packedImage = sums + p.sumBytes;
  const packedGradient = packedImage + p.imageBytes;
  const tapList = at + offsetof<WeightGradParams>() + 2 * offsetof<ImageLayout>();

  const lane = (task % p.laneBlocks) * p.lanesPerBlock;
  task /= p.laneBlocks;
  const channel = (task % p.channelBlocks) * p.channelsPerBlock;
  task /= p.channelBlocks;
  const group = task % p.groups;
  const split = task / p.groups;
  const lanes = min<u32>(p.lanesPerBlock, p.lanes - lane);
  const channels = min<u32>(p.channelsPerBlock, p.channels - channel);
  const terms = channels * p.taps;
  for (let c: u32 = 0; c < channels; c++) {
    for (let t: u32 = 0; t < p.taps; t++) {
      store<u32>(offsets + (c * p.taps + t) * 4, c * xLayout.channelBytes + load<u32>(tapList + t * 4));
    }
  }
  memory.fill(sums, 0, ((lanes + 3) / 4) * ((terms + 3) / 4) * 256);

  const totalRows = p.batch * p.outHeight;
  const rowsPerSplit = (totalRows + p.splits - 1) / p.splits;
  const endRow = min<u32>(totalRows, (split + 1) * rowsPerSplit);
  const vectors = (p.outWidth + 3) / 4;
  const xPlane = xLayout.height * xLayout.width * 4;
  const dyPlane = p.outHeight * p.outWidth * 4;
  const xImageBytes = p.groups * p.channels * xPlane;
  const dyImageBytes = p.groups * p.lanes * dyPlane;
  for (let row = split * rowsPerSplit; row < endRow; ) {
    const image = row / p.outHeight;
    const i = row - image * p.outHeight;
    const isWhole = i == 0 && p.rowsPerChunk >= p.outHeight && endRow - row >= p.outHeight;
    chunk.images = isWhole ? min<u32>(p.imagesPerChunk, (endRow - row) / p.outHeight) : 1;
    chunk.rows = isWhole ? p.outHeight : min<u32>(p.rowsPerChunk, min<u32>(p.outHeight - i, endRow - row));
    row += chunk.images * chunk.rows;

    const x = p.x + image * xImageBytes + (group * p.channels + channel) * xPlane;
    chunk.bRow = xLayout.pitch * 4;
    if (p.packsImage) {
      chunk.b = packedImage;
      chunk.bImage = channels * xLayout.channelBytes;
      for (let n: u32 = 0; n < chunk.images; n++) {
        const rows = chunk.rows + p.extraRows;
        packImage(xLayout, x + n * xImageBytes, channels, i, rows, packedImage + n * chunk.bImage);
      }
    } else {
      chunk.b = x + i * chunk.bRow;
      chunk.bImage = xImageBytes;
    }
    const dy = p.dy + image * dyImageBytes + (group * p.lanes + lane) * dyPlane;
    chunk.aRow = dyLayout.pitch * 4;
    if (p.packsGradient) {
      chunk.a = packedGradient;
      chunk.aLane = dyLayout.channelBytes;
      chunk.aImage = lanes * dyLayout.channelBytes;
      for (let n: u32 = 0; n < chunk.images; n++) {
        packImage(dyLayout, dy + n * dyImageBytes, lanes, i, chunk.rows, packedGradient + n * chunk.aImage);
      }
    } else {
      chunk.a = dy + i * chunk.aRow;
      chunk.aLane = dyPlane;
      chunk.aImage = dyImageBytes;
    }
    multiplyChunk(chunk, lanes, terms, vectors, offsets, sums);
  }
  const pitch = p.channels * p.taps * 4;
  const out = p.dw + ((split * p.groups + group) * p.lanes + lane) * pitch + channel * p.taps * 4;
  writeSums(sums, out, pitch, lanes, terms);
}
