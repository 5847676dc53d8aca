/** Lowering of matrix products: pack A, pack B, multiply blocks. */
import { STEP, TILE } from '../layout.ts';
import * as op from '../operations.ts';
import { type CommandSink, type Lowering, unitsPerTask } from './context.ts';

/**
 * Panels of A and of B in a block of the output: 128 × 128 elements a task, or less where that leaves threads without
 * work.
 */
const PANELS_PER_BLOCK = 16;
/** With fewer tasks than this, blocks are cut smaller. */
const ENOUGH_TASKS = 16;

interface Operand {
  readonly address: number;
  readonly lanes: number;
  readonly depth: number;
  readonly laneStride: number;
  readonly termStride: number;
  readonly batch: number;
  readonly batchStride: number;
}

/** Packs an operand's matrices (one, if the whole batch shares it). Returns the packed address and stride, in bytes. */
function pack(sink: CommandSink, x: Operand): { packed: number; batchStride: number } {
  const isShared = x.batchStride === 0 || x.batch === 1;
  const matrices = isShared ? 1 : x.batch;
  const panels = Math.ceil(x.lanes / TILE);
  const bytes = panels * TILE * Math.ceil(x.depth / STEP) * STEP * 4;
  const packed = sink.temporary(matrices * bytes);
  const panelsPerTask = unitsPerTask(TILE * x.depth);
  const tasksPerMatrix = Math.ceil(panels / panelsPerTask);
  const strides = [4 * x.laneStride, 4 * x.termStride, 4 * x.batchStride, bytes];
  const words = [x.address, packed, x.lanes, x.depth, ...strides, panels, panelsPerTask, tasksPerMatrix];
  sink.submit(op.PACK_PANELS, matrices * tasksPerMatrix, words);
  return { packed, batchStride: isShared ? 0 : bytes };
}

export const matmul: Lowering = ({ sink, scalar, address, constants }) => {
  const [batch, m, n, k] = [scalar('batch'), scalar('m'), scalar('n'), scalar('k')];
  if (batch * m * n === 0) return;
  if (k === 0) {
    sink.submit(op.FILL, 1, [address('out'), batch * m * n, 0]);
    return;
  }
  const a = pack(sink, {
    address: address('a'),
    lanes: m,
    depth: k,
    laneStride: constants.transposeA ? 1 : k,
    termStride: constants.transposeA ? m : 1,
    batch,
    batchStride: scalar('aBatchStride'),
  });
  const b = pack(sink, {
    address: address('b'),
    lanes: n,
    depth: k,
    laneStride: constants.transposeB ? k : 1,
    termStride: constants.transposeB ? 1 : n,
    batch,
    batchStride: scalar('bBatchStride'),
  });
  const rowPanels = Math.ceil(m / TILE);
  const columnPanels = Math.ceil(n / TILE);
  let rows = Math.min(rowPanels, PANELS_PER_BLOCK);
  let columns = Math.min(columnPanels, PANELS_PER_BLOCK);
  const tasks = () => batch * Math.ceil(rowPanels / rows) * Math.ceil(columnPanels / columns);
  while (tasks() < ENOUGH_TASKS && Math.max(rows, columns) > 4) {
    if (columns >= rows) columns = Math.ceil(columns / 2);
    else rows = Math.ceil(rows / 2);
  }
  const blocks = [rows, columns, Math.ceil(rowPanels / rows), Math.ceil(columnPanels / columns)];
  const words = [a.packed, b.packed, address('out'), m, n, k, a.batchStride, b.batchStride, ...blocks];
  sink.submit(op.MATMUL_BLOCK, tasks(), words);
};
