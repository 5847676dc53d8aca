/**
 * What a convolution computes: its parameters, its phases, and a walk through the outputs of one. See `convolution.ts`.
 */

@unmanaged
export class ConvolveParams {
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
  unitsPerTask: u32;
  units: u32;
  phases: u32;
}

@unmanaged
export class Phase {
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
export class Walk {
  row: u32;
  column: u32;
  /**
   * Where the vector reads with the tap at offset 0, where it writes channel 0, and how many columns are left in its
   * row.
   */
  b: usize;
  c: usize;
  count: u32;
}

@inline
export function seek(
  walk: Walk,
  p: ConvolveParams,
  phase: Phase,
  image: usize,
  pitchBytes: u32,
  origin: u32,
  out: usize,
): void {
  const outRow = phase.outRow + (walk.row - phase.firstRow) * phase.outRowStep;
  const outColumn = phase.outColumn + walk.column * phase.outColumnStep;
  walk.b = image + (walk.row - origin) * pitchBytes + walk.column * 4 + phase.shift;
  walk.c = out + (outRow * p.outWidth + outColumn) * 4;
  walk.count = min<u32>(4, phase.columns - walk.column);
}

@inline
export function advance(walk: Walk, phase: Phase): void {
  walk.column += 4;
  if (walk.column >= phase.columns) {
    walk.column = 0;
    walk.row++;
  }
}
