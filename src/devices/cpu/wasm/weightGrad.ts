/**
 * Weight gradient of a convolution, as a GEMM whose terms are pixels:
 *
 *   dw[o, v] = Σ over images n, rows i, columns j of dy[n, o, i, j]·x[n, c, i·s + p·d − pad, j·s + q·d − pad],  v = (c, p, q)
 *
 * A task is one part of the rows (n, i), for a block of channels and a block of outputs. It walks its rows in chunks:
 * dy becomes panels (pixel, 8 outputs), and x is packed so that one vector holds, for any pixel, four of the v:
 *
 *   by channels: four channels lie beside each other, (channel/4, row, column, 4); a vector is four channels of one tap
 *   by taps:     rows lie as they are, zero-padded; a vector is four taps (q, q + 1, …) of one channel and kernel row
 *
 * Then the GEMM core runs over the pixels, with their places in the packed x as offsets. Parts are added by a later
 * command.
 */
import { STEP, TILE } from '../layout';
import { multiplyTile } from './gemm';
import { ImageLayout, packImage } from './image';
import { fillUp, packPanel, padded, transpose4 } from './panels';

@unmanaged
class WeightGradParams {
  x: usize;
  dy: usize;
  /** (split, part, output, channel, tap) */
  out: usize;
  groups: u32;
  channels: u32;
  lanes: u32;
  outHeight: u32;
  outWidth: u32;
  /** Rows (n, i) in all, of a split, and of a part. */
  rows: u32;
  rowsPerSplit: u32;
  parts: u32;
  rowsPerPart: u32;
  channelsPerBlock: u32;
  channelBlocks: u32;
  lanesPerBlock: u32;
  laneBlocks: u32;
  rowsPerChunk: u32;
  imagesPerChunk: u32;
  kernelHeight: u32;
  kernelWidth: u32;
  /** In rows and columns of the packed x: from output to output, and from tap to tap. */
  strideHeight: u32;
  strideWidth: u32;
  dilationHeight: u32;
  dilationWidth: u32;
  byTaps: u32;
  /** Rows of the packed x that one output row needs. */
  reach: u32;
  /** Bytes of four channels (or one, by taps) of a packed image. */
  planeBytes: u32;
  /** Per thread: offsets, sums, dy, x; bytes of each and of all. */
  scratch: usize;
  scratchBytes: u32;
  offsetBytes: u32;
  sumBytes: u32;
  panelBytes: u32;
}

/** One vector of four v: its place in the packed x, and that of its columns in (channel, tap). */
@unmanaged
class Vector {
  image: u32;
  out: u32;
  outStep: u32;
  count: u32;
}

/** Byte offset of every pixel of a whole chunk. */
function writeOffsets(p: WeightGradParams, pitch: u32, offsets: usize): void {
  const pixelBytes: u32 = p.byTaps ? 4 : 16;
  for (let n: u32 = 0; n < p.imagesPerChunk; n++) {
    for (let i: u32 = 0; i < p.rowsPerChunk; i++) {
      for (let j: u32 = 0; j < p.outWidth; j++, offsets += 4) {
        store<u32>(offsets, n * p.planeBytes + (i * p.strideHeight * pitch + j * p.strideWidth) * pixelBytes);
      }
    }
  }
}

/** The v of `channels` channels, four to a vector. Returns the number of vectors. */
function writeVectors(p: WeightGradParams, channels: u32, pitch: u32, at: usize): u32 {
  const taps = p.kernelHeight * p.kernelWidth;
  const width = p.byTaps ? 1 : 4;
  let written: u32 = 0;
  for (let c: u32 = 0; c < channels; c += width) {
    const plane = (c / width) * p.planeBytes * p.imagesPerChunk;
    for (let row: u32 = 0; row < p.kernelHeight; row++) {
      for (let column: u32 = 0; column < p.kernelWidth; column += p.byTaps ? 4 : 1) {
        const vector = changetype<Vector>(at + written * offsetof<Vector>());
        const place = row * p.dilationHeight * pitch + column * p.dilationWidth;
        vector.image = plane + place * width * 4;
        vector.out = c * taps + row * p.kernelWidth + column;
        vector.outStep = p.byTaps ? 1 : taps;
        vector.count = min<u32>(4, p.byTaps ? p.kernelWidth - column : channels - c);
        written++;
      }
    }
  }
  return written;
}

/** Four channels of `rows` packed rows side by side; channels that are not there are zero. */
function packChannels(layout: ImageLayout, x: usize, channels: u32, first: i32, rows: i32, out: usize): void {
  const planeBytes = layout.height * layout.width * 4;
  const step = layout.stepWidth;
  // The first column inside the image, and the first beyond it.
  const begin = min<i32>(layout.pitch, (layout.padLeft + step - 1) / step);
  const end = max<i32>(begin, min<i32>(layout.pitch, (layout.width + layout.padLeft + step - 1) / step));
  for (let r = 0; r < rows; r++, out += layout.pitch * 16) {
    const row = (first + r) * layout.stepHeight - layout.padTop;
    if (row < 0 || row >= layout.height) {
      memory.fill(out, 0, layout.pitch * 16);
      continue;
    }
    memory.fill(out, 0, begin * 16);
    memory.fill(out + end * 16, 0, (layout.pitch - end) * 16);
    let from = x + (row * layout.width + begin * step - layout.padLeft) * 4;
    let q = begin;
    if (step == 1 && channels >= 4) {
      for (; q + 4 <= end; q += 4, from += 16) transpose4(from, planeBytes, out + q * 16, 16);
    }
    for (; q < end; q++, from += step * 4) {
      for (let c: u32 = 0; c < 4; c++) {
        store<f32>(out + q * 16 + c * 4, c < channels ? load<f32>(from + c * planeBytes) : 0);
      }
    }
  }
}

/** What one task works on, and where it keeps it. */
@unmanaged
class Work {
  split: u32;
  part: u32;
  group: u32;
  /** First channel and output of the block within the group, and how many of each. */
  channel: u32;
  lane: u32;
  channels: u32;
  lanes: u32;
  panels: u32;
  vectorCount: u32;
  offsets: usize;
  vectors: usize;
  sums: usize;
  dyPanels: usize;
  packedX: usize;
}

function prepare(p: WeightGradParams, layout: ImageLayout, task: u32, scratch: usize): Work {
  const work = changetype<Work>(scratch);
  work.lane = (task % p.laneBlocks) * p.lanesPerBlock;
  task /= p.laneBlocks;
  work.channel = (task % p.channelBlocks) * p.channelsPerBlock;
  task /= p.channelBlocks;
  work.group = task % p.groups;
  task /= p.groups;
  work.part = task % p.parts;
  work.split = task / p.parts;
  work.lanes = min<u32>(p.lanesPerBlock, p.lanes - work.lane);
  work.channels = min<u32>(p.channelsPerBlock, p.channels - work.channel);
  work.panels = (work.lanes + TILE - 1) / TILE;
  work.offsets = scratch + 64;
  work.vectors = work.offsets + p.offsetBytes;
  work.vectorCount = writeVectors(p, work.channels, layout.pitch, work.vectors);
  work.sums = (work.vectors + work.vectorCount * offsetof<Vector>() + 63) & ~63;
  work.dyPanels = work.sums + p.sumBytes;
  work.packedX = work.dyPanels + p.panelBytes * work.panels;
  memory.fill(work.sums, 0, ((work.vectorCount + 1) / 2) * work.panels * 256);
  writeOffsets(p, layout.pitch, work.offsets);
  return work;
}

/** Packs `rows` rows of dy from row i, of `images` images from `first` on, one image's pixels after the other's. */
function packDy(p: WeightGradParams, work: Work, first: u32, images: u32, i: u32, rows: u32): void {
  const plane = p.outHeight * p.outWidth * 4;
  const pixels = rows * p.outWidth;
  for (let n: u32 = 0; n < images; n++) {
    const dy = p.dy + (((first + n) * p.groups + work.group) * p.lanes + work.lane) * plane + i * p.outWidth * 4;
    for (let panel: u32 = 0; panel < work.panels; panel++) {
      const out = work.dyPanels + panel * p.panelBytes + n * pixels * TILE * 4;
      packPanel(dy + panel * TILE * plane, out, min<u32>(TILE, work.lanes - panel * TILE), pixels, plane, 4);
    }
  }
  for (let panel: u32 = 0; panel < work.panels; panel++) fillUp(work.dyPanels + panel * p.panelBytes, images * pixels);
}

/** Packs what those rows of dy meet of x. */
function packX(p: WeightGradParams, layout: ImageLayout, work: Work, first: u32, images: u32, i: u32, rows: u32): void {
  const plane = layout.height * layout.width * 4;
  const firstRow = i * p.strideHeight;
  const packedRows = (rows - 1) * p.strideHeight + p.reach;
  const width: u32 = p.byTaps ? 1 : 4;
  for (let n: u32 = 0; n < images; n++) {
    const x = p.x + (((first + n) * p.groups + work.group) * p.channels + work.channel) * plane;
    for (let c: u32 = 0; c < work.channels; c += width) {
      const out = work.packedX + ((c / width) * p.imagesPerChunk + n) * p.planeBytes;
      if (p.byTaps) packImage(layout, x + c * plane, 1, firstRow, packedRows, out);
      else packChannels(layout, x + c * plane, work.channels - c, firstRow, packedRows, out);
    }
  }
}

/** Adds a chunk's products to the sums: a tile of 8 × 8 for every pair of vectors and panel of outputs. */
function multiplyChunk(p: WeightGradParams, work: Work, pixels: u32): void {
  let sums = work.sums;
  for (let v: u32 = 0; v < work.vectorCount; v += 2) {
    const next = min<u32>(v + 1, work.vectorCount - 1);
    const b0 = work.packedX + changetype<Vector>(work.vectors + v * offsetof<Vector>()).image;
    const b1 = work.packedX + changetype<Vector>(work.vectors + next * offsetof<Vector>()).image;
    for (let panel: u32 = 0; panel < work.panels; panel++, sums += 256) {
      const a = work.dyPanels + panel * p.panelBytes;
      multiplyTile(pixels, a, work.offsets, b0, b1, sums, sums + 16, 32, sums, sums + 16, 32);
    }
  }
}

/** Moves the sums to their places in the (outputs, channels·taps) matrix of the part and group. */
function writeSums(p: WeightGradParams, work: Work): void {
  const taps = p.kernelHeight * p.kernelWidth;
  const pitch = p.channels * taps * 4;
  const matrix = (work.split * p.parts + work.part) * p.groups + work.group;
  const out = p.out + (matrix * p.lanes + work.lane) * pitch + work.channel * taps * 4;
  let sums = work.sums;
  for (let v: u32 = 0; v < work.vectorCount; v += 2) {
    for (let lane: u32 = 0; lane < work.lanes; lane += TILE, sums += 256) {
      for (let half: u32 = 0; half < min<u32>(2, work.vectorCount - v); half++) {
        const vector = changetype<Vector>(work.vectors + (v + half) * offsetof<Vector>());
        for (let i: u32 = 0; i < min<u32>(TILE, work.lanes - lane); i++) {
          const row = out + (lane + i) * pitch + vector.out * 4;
          for (let j: u32 = 0; j < vector.count; j++) {
            store<f32>(row + j * vector.outStep * 4, load<f32>(sums + i * 32 + half * 16 + j * 4));
          }
        }
      }
    }
  }
}

export function weightGrad(at: usize, task: u32, thread: u32): void {
  const p = changetype<WeightGradParams>(at);
  const layout = changetype<ImageLayout>(at + offsetof<WeightGradParams>());
  const work = prepare(p, layout, task, p.scratch + thread * p.scratchBytes);
  const start = work.split * p.rowsPerSplit + work.part * p.rowsPerPart;
  const end = min<u32>(min<u32>(p.rows, (work.split + 1) * p.rowsPerSplit), start + p.rowsPerPart);
  for (let row = start; row < end; ) {
    const image = row / p.outHeight;
    const i = row - image * p.outHeight;
    const isWhole = i == 0 && p.rowsPerChunk == p.outHeight && end - row >= p.outHeight;
    const images = isWhole ? min<u32>(p.imagesPerChunk, (end - row) / p.outHeight) : 1;
    const rows = isWhole ? p.outHeight : min<u32>(p.rowsPerChunk, min<u32>(p.outHeight - i, end - row));
    packDy(p, work, image, images, i, rows);
    packX(p, layout, work, image, images, i, rows);
    const pixels = images * rows * p.outWidth;
    // Pixels that only fill up the sum are zero in dy, and read pixel 0 of x: what is packed where they would be is stale.
    memory.fill(work.offsets + pixels * 4, 0, (padded(pixels) - pixels) * 4);
    multiplyChunk(p, work, padded(pixels));
    if (pixels % STEP != 0) writeOffsets(p, layout.pitch, work.offsets);
    row += images * rows;
  }
  writeSums(p, work);
}
