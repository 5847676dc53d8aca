/**
 * Convolution as implicit GEMM, forward and input gradient. For one image and group, one *phase* is
 *
 *   out[m, row, column] = Σₚ filters[m, p]·image[row, column; tap p]
 *
 * with p over (channel, tap). The forward pass has one phase. The input gradient of a stride s has s·s, one for each residue of
 * (h + padding, w + padding) modulo s, each a convolution of dy with those taps alone that reach it: no product with the
 * zeros that upsampling dy would insert.
 */
import { DEPTH, TILE, ZEROS } from '../layout';
import { multiplyTile } from './gemm';
import { ImageLayout, packImage } from './image';
import { fillUp, packPanel, padded } from './matmul';
import { multiplyEdge, targetOf, tileOf } from './tile';

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

/** What lies in the filters beside each other as it does in a panel's terms can be packed in one go. */
function isDense(taps: usize, count: u32, channelStride: u32): bool {
  for (let t: u32 = 0; t < count; t++) {
    if (changetype<Tap>(taps + t * offsetof<Tap>()).filter != t * 4) return false;
  }
  return channelStride == count * 4;
}

function packPhase(w: usize, out: usize, lanes: u32, p: PackFiltersParams, taps: usize, count: u32): void {
  fillUp(out, p.channels * count);
  if (isDense(taps, count, p.channelStride)) {
    packPanel(w, out, lanes, p.channels * count, p.laneStride, 4);
    return;
  }
  for (let c: u32 = 0; c < p.channels; c++) {
    for (let t: u32 = 0; t < count; t++, out += TILE * 4) {
      let from = w + c * p.channelStride + changetype<Tap>(taps + t * offsetof<Tap>()).filter;
      for (let lane: u32 = 0; lane < lanes; lane++, from += p.laneStride) store<f32>(out + lane * 4, load<f32>(from));
      for (let lane = lanes; lane < (TILE as u32); lane++) store<f32>(out + lane * 4, 0);
    }
  }
}

/** Terms that only fill up the sum read the last one's pixels, times zero. */
function writeOffsets(offsets: usize, p: PackFiltersParams, taps: usize, count: u32): void {
  const terms = p.channels * count;
  for (let term: u32 = 0; term < padded(terms); term++) {
    const last = min<u32>(term, terms - 1);
    const tap = changetype<Tap>(taps + (last % count) * offsetof<Tap>());
    store<u32>(offsets + term * 4, (last / count) * p.imageChannelBytes + tap.image);
  }
}

/** A task is one panel of one group; the first writes the offsets as well. */
export function packFilters(at: usize, task: u32): void {
  const p = changetype<PackFiltersParams>(at);
  const phases = at + offsetof<PackFiltersParams>();
  const allTaps = phases + p.phases * offsetof<FilterPhase>();
  const group = task / p.panels;
  const panel = task - group * p.panels;
  const lanes = min<u32>(TILE, p.lanes - panel * TILE);
  const w = p.w + group * p.groupStride + panel * TILE * p.laneStride;
  for (let f: u32 = 0; f < p.phases; f++) {
    const phase = changetype<FilterPhase>(phases + f * offsetof<FilterPhase>());
    if (phase.taps == 0) continue;
    const terms = padded(phase.taps * p.channels);
    const taps = allTaps + phase.firstTap * offsetof<Tap>();
    const out = p.filters + ((phase.firstTerm * p.groups + group * terms) * p.panels + panel * terms) * TILE * 4;
    packPhase(w, out, lanes, p, taps, phase.taps);
    if (task == 0) writeOffsets(p.offsets + phase.firstTerm * 4, p, taps, phase.taps);
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

/** The outputs of a phase in block rows first … end, walked in vectors of four columns. */
@unmanaged
class Walk {
  row: u32;
  column: u32;
  /** Where the vector reads with the tap at offset 0, where it writes channel 0, and how many columns are left in its row. */
  b: usize;
  c: usize;
  count: u32;
}

@inline
function seek(walk: Walk, p: ConvolveParams, phase: Phase, image: usize, pitchBytes: u32, origin: u32, out: usize): void {
  const outRow = phase.outRow + (walk.row - phase.firstRow) * phase.outRowStep;
  const outColumn = phase.outColumn + walk.column * phase.outColumnStep;
  walk.b = image + (walk.row - origin) * pitchBytes + walk.column * 4 + phase.shift;
  walk.c = out + (outRow * p.outWidth + outColumn) * 4;
  walk.count = min<u32>(4, phase.columns - walk.column);
}

/** All outputs of one phase in block rows first … end. A tile is two vectors, which may lie in different rows. */
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
  thread: u32,
): void {
  const planeBytes = p.outHeight * p.outWidth * 4;
  const tile = tileOf(thread);
  const target = targetOf(thread);
  target.step = phase.outColumnStep * 4;
  target.pitch = planeBytes;
  const walk = changetype<Walk>(changetype<usize>(target) + 64);
  for (let t: u32 = 0; t < phase.terms; t += DEPTH) {
    const terms = min<u32>(DEPTH, phase.terms - t);
    const offsets = p.offsets + (phase.firstTerm + t) * 4;
    walk.column = 0;
    walk.row = first;
    while (walk.row < end) {
      seek(walk, p, phase, image, pitchBytes, origin, out);
      const b0 = walk.b;
      const c0 = walk.c;
      const count0 = walk.count;
      advance(walk, phase);
      const hasSecond = walk.row < end;
      if (hasSecond) seek(walk, p, phase, image, pitchBytes, origin, out);
      const b1 = walk.b;
      const c1 = walk.c;
      const count1 = hasSecond ? walk.count : 0;
      advance(walk, phase);
      const isWhole = count0 == 4 && count1 == 4 && phase.outColumnStep == 1;
      for (let panel = firstPanel; panel < endPanel; panel++) {
        const a = filters + (panel * phase.terms + t) * TILE * 4;
        const plane = panel * TILE * planeBytes;
        const rows = min<u32>(TILE, p.lanes - panel * TILE);
        if (isWhole && rows == TILE) {
          const start0 = t > 0 ? c0 + plane : ZEROS;
          const start1 = t > 0 ? c1 + plane : ZEROS;
          const startPitch = t > 0 ? planeBytes : 0;
          multiplyTile(terms, a, offsets, b0, b1, start0, start1, startPitch, c0 + plane, c1 + plane, planeBytes);
        } else {
          target.c0 = c0 + plane;
          target.c1 = c1 + plane;
          target.count0 = count0;
          target.count1 = count1;
          target.rows = rows;
          multiplyEdge(terms, a, offsets, b0, b1, t > 0, tile, target);
        }
      }
    }
  }
}

@inline
function advance(walk: Walk, phase: Phase): void {
  walk.column += 4;
  if (walk.column >= phase.columns) {
    walk.column = 0;
    walk.row++;
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
    convolvePhase(p, phase, image, layout.pitch * 4, filters, out, first, end, origin, firstPanel, endPanel, thread);
  }
}
