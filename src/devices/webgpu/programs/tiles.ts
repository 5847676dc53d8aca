/**
 * The tile that a workgroup of the matrix multiplication and convolution kernels computes: 8·threadRows × 8·threadColumns
 * elements, `depth` terms of the sums at a time. A thread computes 8 × 8 of them.
 */
import type { DeviceTraits, Overrides } from './program.ts';

const PER_THREAD = 8;

/**
 * Narrow where the product is narrow: a tile that hangs over the edge computes what nobody reads. Otherwise square, and large
 * on a GPU where there are enough large tiles to keep it busy. Workgroup memory stays below 11 KiB.
 */
export function chooseTile(rows: number, columns: number, traits: DeviceTraits): Overrides {
  if (rows <= 16) return { threadRows: 2, threadColumns: 32, depth: 8 };
  if (columns <= 16) return { threadRows: 32, threadColumns: 2, depth: 8 };
  if (rows <= 32) return { threadRows: 4, threadColumns: 16, depth: 8 };
  if (columns <= 32) return { threadRows: 16, threadColumns: 4, depth: 8 };
  const isLarge = rows >= 128 && columns >= 128 && rows * columns >= 2 ** 21;
  if (isLarge && !traits.isSoftware) return { threadRows: 16, threadColumns: 16, depth: 8 };
  return { threadRows: 8, threadColumns: 8, depth: 16 };
}

/** Tiles that cover rows × columns elements. */
export function tilesOf({ threadRows, threadColumns }: Overrides, rows: number, columns: number): number {
  return Math.ceil(rows / (PER_THREAD * threadRows!)) * Math.ceil(columns / (PER_THREAD * threadColumns!));
}
