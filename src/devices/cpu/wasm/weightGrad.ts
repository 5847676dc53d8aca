/**
 * Weight gradient of a convolution, as a GEMM whose terms are pixels:
 *
 *   dw[o, v] = Σ over images n, rows i, columns j of dy[n, o, i, j]·x[n, c, i·s + p·d − pad, j·s + q·d − pad],  v = (c, p, q)
 *
 * A task is one part of the rows (n, i), for a block of channels and a block of outputs. It walks its rows in chunks: dy becomes panels
 * (pixel, 8 outputs), and x is packed so that one vector holds, for any pixel, four of the v:
 *
 *   by channels: four channels lie beside each other, (channel/4, row, column, 4); a vector is four channels of one tap
 *   by taps:     rows lie as they are, zero-padded; a vector is four taps (q, q + 1, …) of one channel and kernel row
 *
 * Then the GEMM core runs over the pixels, with their places in the packed x as offsets. Parts are added by a later command.
 */
import { STEP, TILE } from '../layout';
import { multiplyTile } from './gemm';
import { ImageLayout, packImage } from './image';
import { fillUp, packPanel, padded } from './matmul';

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
function writeOffsets(p: WeightGradParams, pitch: u32, pixelBytes: u32, imageBytes: u32, offsets: usize): void {
  for (let n: u32 = 0; n < p.imagesPerChunk; n++) {
    for (let i: u32 = 0; i < p.rowsPerChunk; i++) {
      for (let j: u32 = 0; j < p.outWidth; j++, offsets += 4) {
        store<u32>(offsets, n * imageBytes + (i * p.strideHeight * pitch + j * p.strideWidth) * pixelBytes);
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
      for (; q + 4 <= end; q += 4, from += 16) transposeChannels(from, planeBytes, out + q * 16);
    }
    for (; q < end; q++, from += step * 4) {
      for (let c: u32 = 0; c < 4; c++) store<f32>(out + q * 16 + c * 4, c < channels ? load<f32>(from + c * planeBytes) : 0);
    }
  }
}

/** (4 channels, 4 pixels) → (4 pixels, 4 channels) */
@inline
function transposeChannels(x: usize, planeBytes: u32, out: usize): void {
  const a = v128.load(x);
  const b = v128.load(x + planeBytes);
  const c = v128.load(x + 2 * planeBytes);
  const d = v128.load(x + 3 * planeBytes);
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f32>(ab0, cd0, 0, 1, 4, 5));
  v128.store(out, v128.shuffle<f32>(ab0, cd0, 2, 3, 6, 7), 16);
  v128.store(out, v128.shuffle<f32>(ab1, cd1, 0, 1, 4, 5), 32);
  v128.store(out, v128.shuffle<f32>(ab1, cd1, 2, 3, 6, 7), 48);
}

/** Packs image `n` of the chunk: all channels of the block, `rows` rows from `first`. */
function packX(p: WeightGradParams, layout: ImageLayout, x: usize, channels: u32, n: u32, first: i32, rows: i32, out: usize): void {
  const imageOffset = n * p.planeBytes;
  if (p.byTaps) {
    for (let c: u32 = 0; c < channels; c++) {
      const plane = x + c * layout.height * layout.width * 4;
      packImage(layout, plane, 1, first, rows, out + c * p.planeBytes * p.imagesPerChunk + imageOffset);
    }
    return;
  }
  for (let c: u32 = 0; c < channels; c += 4) {
    const plane = x + c * layout.height * layout.width * 4;
    packChannels(layout, plane, channels - c, first, rows, out + (c / 4) * p.planeBytes * p.imagesPerChunk + imageOffset);
  }
}

/** Adds a chunk's products to `sums`: a tile of 8 × 8 for every pair of vectors and panel of outputs. */
function multiplyChunk(pixels: u32, panels: u32, panelBytes: u32, vectors: usize, count: u32, a: usize, x: usize, offsets: usize, sums: usize): void {
  for (let v: u32 = 0; v < count; v += 2) {
    const b0 = x + changetype<Vector>(vectors + v * offsetof<Vector>()).image;
    const b1 = x + changetype<Vector>(vectors + min<u32>(v + 1, count - 1) * offsetof<Vector>()).image;
    for (let panel: u32 = 0; panel < panels; panel++, sums += 256) {
      multiplyTile(pixels, a + panel * panelBytes, offsets, b0, b1, sums, sums + 16, 32, sums, sums + 16, 32);
    }
  }
}

/** `out` is row 0, channel 0 of the block in a (outputs, channels·taps) matrix. */
function writeSums(sums: usize, out: usize, pitch: u32, lanes: u32, vectors: usize, count: u32): void {
  for (let v: u32 = 0; v < count; v += 2) {
    for (let lane: u32 = 0; lane < lanes; lane += TILE, sums += 256) {
      for (let half: u32 = 0; half < min<u32>(2, count - v); half++) {
        const vector = changetype<Vector>(vectors + (v + half) * offsetof<Vector>());
        for (let i: u32 = 0; i < min<u32>(TILE, lanes - lane); i++) {
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
  const laneBlock = task % p.laneBlocks;
  task /= p.laneBlocks;
  const channelBlock = task % p.channelBlocks;
  task /= p.channelBlocks;
  const group = task % p.groups;
  task /= p.groups;
  const part = task % p.parts;
  const split = task / p.parts;
  const lane = laneBlock * p.lanesPerBlock;
  const channel = channelBlock * p.channelsPerBlock;
  const lanes = min<u32>(p.lanesPerBlock, p.lanes - lane);
  const channels = min<u32>(p.channelsPerBlock, p.channels - channel);
  const panels = (lanes + TILE - 1) / TILE;

  const offsets = p.scratch + thread * p.scratchBytes;
  const vectors = offsets + p.offsetBytes;
  const count = writeVectors(p, channels, layout.pitch, vectors);
  const sums = (vectors + count * offsetof<Vector>() + 63) & ~63;
  const dyPanels = sums + p.sumBytes;
  const packedX = dyPanels + p.panelBytes * panels;
  const pixelBytes: u32 = p.byTaps ? 4 : 16;
  writeOffsets(p, layout.pitch, pixelBytes, p.planeBytes, offsets);
  memory.fill(sums, 0, ((count + 1) / 2) * panels * 256);

  const xPlane = layout.height * layout.width * 4;
  const dyPlane = p.outHeight * p.outWidth * 4;
  const splitEnd = min<u32>(p.rows, (split + 1) * p.rowsPerSplit);
  const start = split * p.rowsPerSplit + part * p.rowsPerPart;
  const end = min<u32>(splitEnd, start + p.rowsPerPart);
  for (let row = start; row < end; ) {
    const image = row / p.outHeight;
    const i = row - image * p.outHeight;
    const isWhole = i == 0 && p.rowsPerChunk == p.outHeight && end - row >= p.outHeight;
    const images = isWhole ? min<u32>(p.imagesPerChunk, (end - row) / p.outHeight) : 1;
    const rows = isWhole ? p.outHeight : min<u32>(p.rowsPerChunk, min<u32>(p.outHeight - i, end - row));
    const imagePixels = rows * p.outWidth;
    row += images * rows;
    for (let n: u32 = 0; n < images; n++) {
      const dy = p.dy + (((image + n) * p.groups + group) * p.lanes + lane) * dyPlane + i * p.outWidth * 4;
      for (let panel: u32 = 0; panel < panels; panel++) {
        const to = dyPanels + panel * p.panelBytes + n * imagePixels * TILE * 4;
        const from = dy + panel * TILE * dyPlane;
        packPanel(from, to, min<u32>(TILE, lanes - panel * TILE), imagePixels, dyPlane, 4);
      }
      const x = p.x + (((image + n) * p.groups + group) * p.channels + channel) * xPlane;
      packX(p, layout, x, channels, n, i * p.strideHeight, (rows - 1) * p.strideHeight + p.reach, packedX);
    }
    // Pixels that only fill up the sum are zero in dy, and read pixel 0 of x: what is packed where they would be is stale.
    const pixels = images * imagePixels;
    for (let panel: u32 = 0; panel < panels; panel++) fillUp(dyPanels + panel * p.panelBytes, pixels);
    memory.fill(offsets + pixels * 4, 0, (padded(pixels) - pixels) * 4);
    multiplyChunk(padded(pixels), panels, p.panelBytes, vectors, count, dyPanels, packedX, offsets, sums);
    if (pixels % STEP != 0) writeOffsets(p, layout.pitch, pixelBytes, p.planeBytes, offsets);
  }
  const taps = p.kernelHeight * p.kernelWidth;
  const pitch = p.channels * taps * 4;
  const matrix = (split * p.parts + part) * p.groups + group;
  writeSums(sums, p.out + (matrix * p.lanes + lane) * pitch + channel * taps * 4, pitch, lanes, vectors, count);
}
