/**
 * Convolution as implicit GEMM, forward and input gradient. For one image and group, one *phase* is
 *
 *   out[m, row, column] = Σₚ filters[m, p]·image[row, column; tap p]
 *
 * with p over (channel, tap). The forward pass has one phase. The input gradient of a stride s has s·s, one for each
 * residue of (h + padding, w + padding) modulo s, each a convolution of dy with those taps alone that reach it: no
 * product with the zeros that upsampling dy would insert.
 */
import { DEPTH, NARROW, TILE, ZEROS } from '../layout';
import { multiplyTile } from './gemm';
import { ImageLayout, packImage } from './image';
import { convolveNarrow } from './narrow';
import { advance, ConvolveParams, Phase, seek, Walk } from './phase';
import { multiplyEdge, targetOf, tileOf } from './tile';

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

/** A unit is one block of rows and panels of one group of one image. */
function convolveUnit(p: ConvolveParams, layout: ImageLayout, phases: usize, unit: u32, thread: u32): void {
  const panelBlock = unit % p.panelBlocks;
  unit /= p.panelBlocks;
  const origin = (unit % p.rowBlocks) * p.rowsPerBlock;
  unit /= p.rowBlocks;
  const group = unit % p.groups;
  const source = p.image + unit * p.channels * layout.height * layout.width * 4;
  const out = p.out + unit * p.lanes * p.outHeight * p.outWidth * 4;
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
    const pitch = layout.pitch * 4;
    const filters = p.filters + (phase.firstTerm * p.groups + group * phase.terms) * p.panels * TILE * 4;
    if (p.lanes <= (NARROW as u32)) convolveNarrow(p, phase, image, pitch, filters, out, first, end, origin, thread);
    else convolvePhase(p, phase, image, pitch, filters, out, first, end, origin, firstPanel, endPanel, thread);
  }
}

export function convolve(at: usize, task: u32, thread: u32): void {
  const p = changetype<ConvolveParams>(at);
  const layout = changetype<ImageLayout>(at + offsetof<ConvolveParams>());
  const phases = at + offsetof<ConvolveParams>() + offsetof<ImageLayout>();
  const end = min<u32>(p.units, (task + 1) * p.unitsPerTask);
  for (let unit = task * p.unitsPerTask; unit < end; unit++) convolveUnit(p, layout, phases, unit, thread);
}
