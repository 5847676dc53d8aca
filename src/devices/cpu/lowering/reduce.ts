/** Lowering of reductions. */
import { REDUCE_OPERATORS } from '../../../kernels/reduce.ts';
import { CHUNK, REDUCE_WIDTH } from '../layout.ts';
import * as op from '../operations.ts';
import { type Lowering, unitsPerTask } from './context.ts';

/** Tasks of REDUCE_COLUMNS over `inner` columns. */
export const columnBlocks = (inner: number): number => Math.ceil(inner / REDUCE_WIDTH);

/**
 * Few long rows are cut into pieces of `CHUNK`, so that all threads have work; the pieces' results are one more row
 * each.
 */
export const reduce: Lowering = ({ sink, scalar, address, constants }) => {
  const operator = REDUCE_OPERATORS.indexOf(constants.operator as (typeof REDUCE_OPERATORS)[number]);
  const outer = scalar('outer');
  const reduced = scalar('reduced');
  const inner = scalar('inner');
  if (inner !== 1) {
    const blocks = columnBlocks(inner);
    const words = [operator, address('x'), address('out'), outer, reduced, inner, blocks];
    sink.submit(op.REDUCE_COLUMNS, outer * blocks, words);
    return;
  }
  if (outer === 1 && reduced > 2 * CHUNK) {
    const pieces = Math.ceil(reduced / CHUNK);
    const partial = sink.temporary(4 * pieces);
    sink.submit(op.REDUCE_ROWS, pieces, [operator, address('x'), partial, pieces, CHUNK, 1, reduced]);
    sink.submit(op.REDUCE_ROWS, 1, [operator, partial, address('out'), 1, pieces, 1, pieces]);
    return;
  }
  const rowsPerTask = unitsPerTask(reduced);
  const words = [operator, address('x'), address('out'), outer, reduced, rowsPerTask, outer * reduced];
  sink.submit(op.REDUCE_ROWS, Math.ceil(outer / rowsPerTask), words);
};

export const argmax: Lowering = ({ sink, scalar, address }) => {
  const outputs = scalar('outer') * scalar('inner');
  const reduced = scalar('reduced');
  const perTask = unitsPerTask(reduced);
  const words = [address('x'), address('out'), outputs, reduced, scalar('inner'), perTask];
  sink.submit(op.ARGMAX, Math.ceil(outputs / perTask), words);
};
