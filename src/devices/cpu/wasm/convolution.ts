/**
 * Convolution as implicit GEMM, forward and input gradient. For one image and group, one *phase* is
 *
 *   out[m, row, column] = Σₚ filters[m, p]·image[row, column; tap p]
 *
 * with p over (channel, tap). The forward pass has one phase. The input gradient of a stride s has s·s, one for each residue of
 * (h + padding, w + padding) modulo s, each a convolution of dy with those taps alone that reach it: no product with the
 * zeros that upsampling dy would insert.
 */
import { DEPTH, TILE, TILE_SCRATCH } from '../layout';
import { multiplyTaps } from './gemm';
import { ImageLayout, packImage } from './image';
import { packPanel } from './matmul';

/**
 * Filters of all groups and phases as panels (k, 8): term p = (channel, tap) of phase f is filter element
 * `channel·channelStride + taps[p]`. The tap's offset in the packed image goes to `offsets`.
 */
@unmanaged
class PackFiltersParams {
  w: usize;
  filters: usize;
  offsets: usize;
  groups: u32;
  /** Outputs of a group, and bytes from one to the next. */
  lanes: u32;
  laneStride: u32;
  groupStride: u32;
  channels: u32;
  channelStride: u32;
  /** Bytes from channel to channel of the packed image. */
  imageChannelBytes: u32;
  phases: u32;
  panels: u32;
}

/** A phase's taps: how many, the first one's place in the tap list, the first term's place in `filters` and `offsets`. */
@unmanaged
class FilterPhase {
  taps: u32;
  firstTap: u32;
  firstTerm: u32;
}

/** Byte offset in the filter, byte offset in the packed image. */
@unmanaged
class Tap {
  filter: u32;
  image: u32;
}

/** A task is one panel of one group; panel 0 of group 0 writes the offsets as well. */
export function packFilters(at: usize, task: u32): void {
  const p = changetype<PackFiltersParams>(at);
  const phases = at + offsetof<PackFiltersParams>();
  const taps = phases + p.phases * offsetof<FilterPhase>();
  const group = task / p.panels;
  const panel = task - group * p.panels;
  const lanes = min<u32>(TILE, p.lanes - panel * TILE);
  const w = p.w + group * p.groupStride + panel * TILE * p.laneStride;
  for (let f: u32 = 0; f < p.phases; f++) {
    const phase = changetype<FilterPhase>(phases + f * offsetof<FilterPhase>());
    const terms = phase.taps * p.channels;
    let out = p.filters + ((phase.firstTerm * p.groups + group * terms) * p.panels + panel * terms) * TILE * 4;
    for (let c: u32 = 0; c < p.channels; c++) {
      for (let t: u32 = 0; t < phase.taps; t++, out += TILE * 4) {
        const tap = changetype<Tap>(taps + (phase.firstTap + t) * offsetof<Tap>());
        packPanel(w + c * p.channelStride + tap.filter, out, lanes, 1, p.laneStride, 0);
        if (task == 0) {
          const term = phase.firstTerm + c * phase.taps + t;
          store<u32>(p.offsets + term * 4, c * p.imageChannelBytes + tap.image);
        }
      }
    }
  }
}

@unmanaged
class ConvolveParams {
  image: usize;
  filters: usize;
  offsets: usize;
  out: usize;
  groups: u32;
  /** Channels of a group of the image, outputs of a group. */
  channels: u32;
  lanes: u32;
  panels: u32;
  outHeight: u32;
  outWidth: u32;
  rowsPerBlock: u32;
  rowBlocks: u32;
  panelsPerBlock: u32;
  panelBlocks: u32;
  /** Rows that taps reach beyond the block. */
  extraRows: u32;
  /** Per thread, for the packed image; 0 bytes: the image is used as it lies. */
  scratch: usize;
  scratchBytes: u32;
  phases: u32;
}

@unmanaged
class Phase {
  terms: u32;
  firstTerm: u32;
  /** The phase has outputs at block rows firstRow … endRow, which are rows outRow + i·outRowStep of `out`. */
  firstRow: u32;
  endRow: u32;
  columns: u32;
  /** Bytes from the start of a packed row to what column 0 reads with the tap at offset 0. */
  shift: u32;
  outRow: u32;
  outRowStep: u32;
  outColumn: u32;
  outColumnStep: u32;
}

/** Moves the valid floats of a tile's four columns to memory (or back, to go on with a sum). */
@inline
function moveTile(tile: usize, c: usize, pitch: u32, step: u32, rows: u32, columns: u32, isLoad: bool): void {
  for (let i: u32 = 0; i < rows; i++) {
    for (let j: u32 = 0; j < columns; j++) {
      const inTile = tile + i * 32 + j * 4;
      const inMemory = c + i * pitch + j * step;
      if (isLoad) store<f32>(inTile, load<f32>(inMemory));
      else store<f32>(inMemory, load<f32>(inTile));
    }
  }
}

/** All outputs of one phase in block rows first … end: tiles of two vectors of four columns, which may lie in different rows. */
function convolvePhase(
  p: ConvolveParams,
  phase: Phase,
  image: usize,
  pitchBytes: u32,
  filters: usize,
  out: usize,
  first: u32,
  end: u32,
  origin: u32,
  firstPanel: u32,
  endPanel: u32,
  tile: usize,
): void {
  const vectorsPerRow = (phase.columns + 3) / 4;
  const vectors = (end - first) * vectorsPerRow;
  const planeBytes = p.outHeight * p.outWidth * 4;
  const columnStep = phase.outColumnStep * 4;
  for (let t: u32 = 0; t < phase.terms; t += DEPTH) {
    const terms = min<u32>(DEPTH, phase.terms - t);
    const offsets = p.offsets + (phase.firstTerm + t) * 4;
    for (let v: u32 = 0; v < vectors; v += 2) {
      const row0 = first + v / vectorsPerRow;
      const column0 = (v % vectorsPerRow) * 4;
      const hasSecond = v + 1 < vectors;
      const wraps = column0 + 4 >= phase.columns;
      const row1 = hasSecond && wraps ? row0 + 1 : row0;
      const column1 = hasSecond ? (wraps ? 0 : column0 + 4) : column0;
      const b0 = image + (row0 - origin) * pitchBytes + column0 * 4 + phase.shift;
      const b1 = image + (row1 - origin) * pitchBytes + column1 * 4 + phase.shift;
      const count0 = min<u32>(4, phase.columns - column0);
      const count1 = hasSecond ? min<u32>(4, phase.columns - column1) : 0;
      const outRow0 = phase.outRow + (row0 - phase.firstRow) * phase.outRowStep;
      const outRow1 = phase.outRow + (row1 - phase.firstRow) * phase.outRowStep;
      const c0 = out + (outRow0 * p.outWidth + phase.outColumn) * 4 + column0 * columnStep;
      const c1 = out + (outRow1 * p.outWidth + phase.outColumn) * 4 + column1 * columnStep;
      const isWhole = count0 == 4 && count1 == 4 && columnStep == 4;
      for (let panel = firstPanel; panel < endPanel; panel++) {
        const a = filters + (panel * phase.terms + t) * TILE * 4;
        const lane = panel * TILE * planeBytes;
        const rows = min<u32>(TILE, p.lanes - panel * TILE);
        if (isWhole && rows == TILE) {
          multiplyTaps(terms, a, offsets, b0, b1, c0 + lane, c1 + lane, planeBytes, t > 0);
          continue;
        }
        if (t > 0) {
          moveTile(tile, c0 + lane, planeBytes, columnStep, rows, count0, true);
          moveTile(tile + 16, c1 + lane, planeBytes, columnStep, rows, count1, true);
        }
        multiplyTaps(terms, a, offsets, b0, b1, tile, tile + 16, 32, t > 0);
        moveTile(tile, c0 + lane, planeBytes, columnStep, rows, count0, false);
        moveTile(tile + 16, c1 + lane, planeBytes, columnStep, rows, count1, false);
      }
    }
  }
}

/** A phase that no tap reaches is zero. */
function clearPhase(p: ConvolveParams, phase: Phase, out: usize, first: u32, end: u32, firstLane: u32, endLane: u32): void {
  for (let lane = firstLane; lane < endLane; lane++) {
    for (let row = first; row < end; row++) {
      const outRow = phase.outRow + (row - phase.firstRow) * phase.outRowStep;
      let at = out + ((lane * p.outHeight + outRow) * p.outWidth + phase.outColumn) * 4;
      for (let j: u32 = 0; j < phase.columns; j++, at += phase.outColumnStep * 4) store<f32>(at, 0);
    }
  }
}

/** A task is one block of rows and panels of one group of one image. */
export function convolve(at: usize, task: u32, thread: u32): void {
  const p = changetype<ConvolveParams>(at);
  const layout = changetype<ImageLayout>(at + offsetof<ConvolveParams>());
  const phases = at + offsetof<ConvolveParams>() + offsetof<ImageLayout>();
  const panelBlock = task % p.panelBlocks;
  task /= p.panelBlocks;
  const origin = (task % p.rowBlocks) * p.rowsPerBlock;
  task /= p.rowBlocks;
  const group = task % p.groups;
  const source = p.image + task * p.channels * layout.height * layout.width * 4;
  const out = p.out + task * p.lanes * p.outHeight * p.outWidth * 4;
  let image = source;
  if (p.scratchBytes != 0) {
    image = p.scratch + thread * p.scratchBytes;
    packImage(layout, source, p.channels, origin, p.rowsPerBlock + p.extraRows, image);
  }
  const firstPanel = panelBlock * p.panelsPerBlock;
  const endPanel = min<u32>(p.panels, firstPanel + p.panelsPerBlock);
  for (let f: u32 = 0; f < p.phases; f++) {
    const phase = changetype<Phase>(phases + f * offsetof<Phase>());
    const first = max<u32>(phase.firstRow, origin);
    const end = min<u32>(phase.endRow, origin + p.rowsPerBlock);
    if (first >= end) continue;
    if (phase.terms == 0) {
      clearPhase(p, phase, out, first, end, firstPanel * TILE, min<u32>(p.lanes, endPanel * TILE));
      continue;
    }
    const filters = p.filters + (phase.firstTerm * p.groups + group * phase.terms) * p.panels * TILE * 4;
    const tile: usize = TILE_SCRATCH + thread * 256;
    convolvePhase(p, phase, image, layout.pitch * 4, filters, out, first, end, origin, firstPanel, endPanel, tile);
  }
}
