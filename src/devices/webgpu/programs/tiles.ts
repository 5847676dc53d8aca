/**
 * The tile that a workgroup of the matrix multiplication and convolution kernels computes: 8·threadRows × 8·threadColumns
 * elements, `depth` terms of the sums at a time. A thread computes 8 × 8 of them.
 */
import type { Overrides } from './program.ts';

/** As `overrides` in matmul.wgsl and conv2d*.wgsl. All keep workgroup memory below 10 KiB. */
export interface Tile extends Overrides {
  readonly threadRows: number;
  readonly threadColumns: number;
  readonly depth: number;
}

const PER_THREAD = 8;
const SQUARE: Tile = { threadRows: 8, threadColumns: 8, depth: 16 };
const LARGE: Tile = { threadRows: 16, threadColumns: 16, depth: 8 };

/** Products of less work than this share one tile, and so one pipeline: compiling another would not pay. */
const SMALL_FLOPS = 2 ** 22;
/** Elements that make more than a hundred large tiles, enough to keep a GPU busy. */
const LARGE_PRODUCT = 2 ** 21;

/** Narrow where the product is narrow (a tile that hangs over the edge computes what nobody reads), otherwise square. */
export function chooseTile(rows: number, columns: number, flops: number): Tile {
  if (flops < SMALL_FLOPS) return SQUARE;
  if (rows <= 16) return { threadRows: 2, threadColumns: 32, depth: 8 };
  if (columns <= 16) return { threadRows: 32, threadColumns: 2, depth: 8 };
  if (rows <= 32) return { threadRows: 4, threadColumns: 16, depth: 8 };
  if (columns <= 32) return { threadRows: 16, threadColumns: 4, depth: 8 };
  return rows >= 128 && columns >= 128 && rows * columns >= LARGE_PRODUCT ? LARGE : SQUARE;
}

/** Tiles that cover rows × columns elements. */
export function tilesOf({ threadRows, threadColumns }: Overrides, rows: number, columns: number): number {
  return Math.ceil(rows / (PER_THREAD * threadRows!)) * Math.ceil(columns / (PER_THREAD * threadColumns!));
}
