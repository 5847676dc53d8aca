/**
 * Register tiles whose outputs are no 8 × 8 block of memory: they go through a tile of scratch memory, rows 32 bytes
 * apart.
 */
import { TILE_SCRATCH, ZEROS } from '../layout';
import { multiplyTile } from './gemm';

/**
 * Where a tile's columns go: `count0` at c0 and `count1` at c1, `step` bytes apart, in `rows` rows `pitch` bytes apart.
 */
@unmanaged
export class TileTarget {
  c0: usize;
  c1: usize;
  count0: u32;
  count1: u32;
  step: u32;
  rows: u32;
  pitch: u32;
}

@inline
export function tileOf(thread: u32): usize {
  return TILE_SCRATCH + thread * 512;
}

/** The target that belongs to a thread's tile. */
@inline
export function targetOf(thread: u32): TileTarget {
  return changetype<TileTarget>(tileOf(thread) + 256);
}

function loadColumns(tile: usize, c: usize, count: u32, target: TileTarget): void {
  for (let i: u32 = 0; i < target.rows; i++, c += target.pitch) {
    for (let j: u32 = 0; j < count; j++) store<f32>(tile + i * 32 + j * 4, load<f32>(c + j * target.step));
  }
}

function storeColumns(tile: usize, c: usize, count: u32, target: TileTarget): void {
  for (let i: u32 = 0; i < target.rows; i++, c += target.pitch) {
    if (count == 4 && target.step == 4) v128.store(c, v128.load(tile + i * 32));
    else for (let j: u32 = 0; j < count; j++) store<f32>(c + j * target.step, load<f32>(tile + i * 32 + j * 4));
  }
}

/** `multiplyTile` for any target; with `goesOn`, the sum continues from what is there. */
export function multiplyEdge(
  k: u32,
  a: usize,
  offsets: usize,
  b0: usize,
  b1: usize,
  goesOn: bool,
  tile: usize,
  target: TileTarget,
): void {
  if (goesOn) {
    loadColumns(tile, target.c0, target.count0, target);
    loadColumns(tile + 16, target.c1, target.count1, target);
    multiplyTile(k, a, offsets, b0, b1, tile, tile + 16, 32, tile, tile + 16, 32);
  } else {
    multiplyTile(k, a, offsets, b0, b1, ZEROS, ZEROS, 0, tile, tile + 16, 32);
  }
  storeColumns(tile, target.c0, target.count0, target);
  storeColumns(tile + 16, target.c1, target.count1, target);
}
