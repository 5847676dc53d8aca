/** Lowering of pooling. */
import { POOL_PARAMS } from '../../../kernels/pool.ts';
import * as op from '../operations.ts';
import { type LoweredLaunch, type Lowering, unitsPerTask } from './context.ts';

/** Tasks of whole planes, so that a gradient may be scattered within a plane. */
function submit(operation: number, launch: LoweredLaunch, x: string, y: string, indices: string | undefined): void {
  const { sink, scalar, address, constants } = launch;
  const perTask = unitsPerTask(scalar('inHeight') * scalar('inWidth') + scalar('outHeight') * scalar('outWidth'));
  const words = [address(x), address(y), indices === undefined ? 0 : address(indices)];
  for (const name of Object.keys(POOL_PARAMS)) words.push(scalar(name));
  words.push(constants.countPadding ? 1 : 0, perTask);
  sink.submit(operation, Math.ceil(scalar('planes') / perTask), words);
}

export const maxPool2d: Lowering = (launch) => submit(op.MAX_POOL, launch, 'x', 'y', 'indices');
export const maxPool2dGrad: Lowering = (launch) => submit(op.MAX_POOL_GRAD, launch, 'dx', 'dy', 'indices');
export const avgPool2d: Lowering = (launch) => submit(op.AVG_POOL, launch, 'x', 'y', undefined);
export const avgPool2dGrad: Lowering = (launch) => submit(op.AVG_POOL_GRAD, launch, 'dx', 'dy', undefined);
