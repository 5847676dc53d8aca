/**
 * Matrix products: both operands are packed into panels of 8 rows (of A) or 8 columns (of B), blocked over k, then
 * multiplied tile by tile. A transposed operand differs only in the two strides that packing reads with.
 *
 *   packed: for each block of DEPTH terms, for each panel, (terms in the block, 8); missing lanes and terms are zero
 */
import { DEPTH, PANEL_OFFSETS, TILE, ZEROS } from '../layout';
import { multiplyTile } from './gemm';
import { fillUp, packPanel, padded } from './panels';
import { multiplyEdge, targetOf, tileOf } from './tile';

@unmanaged
class PackParams {
  x: usize;
  out: usize;
  /** Rows of A or columns of B, and terms. */
  lanes: u32;
  depth: u32;
  /** Bytes from lane to lane and from term to term. */
  laneStride: u32;
  termStride: u32;
  /** Bytes from matrix to matrix. */
  xBatchStride: u32;
  outBatchStride: u32;
  panels: u32;
  panelsPerTask: u32;
  tasksPerMatrix: u32;
}

export function packPanels(at: usize, task: u32): void {
  const p = changetype<PackParams>(at);
  const matrix = task / p.tasksPerMatrix;
  const first = (task - matrix * p.tasksPerMatrix) * p.panelsPerTask;
  const last = min<u32>(p.panels, first + p.panelsPerTask);
  const x = p.x + matrix * p.xBatchStride;
  const out = p.out + matrix * p.outBatchStride;
  for (let t: u32 = 0; t < p.depth; t += DEPTH) {
    const terms = min<u32>(DEPTH, p.depth - t);
    for (let panel = first; panel < last; panel++) {
      const lane = panel * TILE;
      const to = out + (t * p.panels + panel * padded(terms)) * TILE * 4;
      const from = x + lane * p.laneStride + t * p.termStride;
      packPanel(from, to, min<u32>(TILE, p.lanes - lane), terms, p.laneStride, p.termStride);
      fillUp(to, terms);
    }
  }
}

@unmanaged
class MatmulParams {
  a: usize;
  b: usize;
  out: usize;
  m: u32;
  n: u32;
  k: u32;
  /** Bytes from packed matrix to packed matrix: 0 where one serves the whole batch. */
  aBatchStride: u32;
  bBatchStride: u32;
  rowPanelsPerBlock: u32;
  columnPanelsPerBlock: u32;
  rowBlocks: u32;
  columnBlocks: u32;
}

export function matmulBlock(at: usize, task: u32, thread: u32): void {
  const p = changetype<MatmulParams>(at);
  const columnBlock = task % p.columnBlocks;
  const rowBlock = (task / p.columnBlocks) % p.rowBlocks;
  const matrix = task / (p.columnBlocks * p.rowBlocks);
  const rowPanels = (p.m + TILE - 1) / TILE;
  const columnPanels = (p.n + TILE - 1) / TILE;
  const lastRow = min<u32>(rowPanels, (rowBlock + 1) * p.rowPanelsPerBlock);
  const lastColumn = min<u32>(columnPanels, (columnBlock + 1) * p.columnPanelsPerBlock);
  const pitch = p.n * 4;
  const out = p.out + matrix * p.m * pitch;
  const target = targetOf(thread);
  target.step = 4;
  target.pitch = pitch;
  for (let t: u32 = 0; t < p.k; t += DEPTH) {
    const terms = padded(min<u32>(DEPTH, p.k - t));
    const a = p.a + matrix * p.aBatchStride + t * rowPanels * TILE * 4;
    const b = p.b + matrix * p.bBatchStride + t * columnPanels * TILE * 4;
    for (let j = columnBlock * p.columnPanelsPerBlock; j < lastColumn; j++) {
      const bPanel = b + j * terms * TILE * 4;
      const columns = min<u32>(TILE, p.n - j * TILE);
      for (let i = rowBlock * p.rowPanelsPerBlock; i < lastRow; i++) {
        const aPanel = a + i * terms * TILE * 4;
        const c = out + i * TILE * pitch + j * TILE * 4;
        const rows = min<u32>(TILE, p.m - i * TILE);
        if (rows == TILE && columns == TILE) {
          const start = t > 0 ? c : ZEROS;
          const startPitch = t > 0 ? pitch : 0;
          multiplyTile(terms, aPanel, PANEL_OFFSETS, bPanel, bPanel + 16, start, start + 16, startPitch, c, c + 16, pitch);
        } else {
          target.c0 = c;
          target.c1 = c + 16;
          target.count0 = min<u32>(4, columns);
          target.count1 = columns - target.count0;
          target.rows = rows;
          multiplyEdge(terms, aPanel, PANEL_OFFSETS, bPanel, bPanel + 16, t > 0, tileOf(thread), target);
        }
      }
    }
  }
}
