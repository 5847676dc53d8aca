/** Lowering of batch normalisation. */
import * as op from '../operations.ts';
import { floatBits } from '../stream.ts';
import { type Lowering, unitsPerTask } from './context.ts';

export const batchNormStats: Lowering = ({ sink, scalar, address }) => {
  const channels = scalar('channels');
  const shape = [scalar('batch'), channels, scalar('spatial')];
  sink.submit(op.BATCH_NORM_STATS, channels, [address('x'), address('mean'), address('variance'), ...shape]);
};

export const batchNormApply: Lowering = ({ sink, scalar, address }) => {
  const planes = scalar('batch') * scalar('channels');
  const perTask = unitsPerTask(scalar('spatial'));
  const buffers = ['x', 'mean', 'variance', 'gamma', 'beta', 'y'].map(address);
  const shape = [planes, scalar('channels'), scalar('spatial')];
  const words = [...buffers, ...shape, floatBits(scalar('epsilon')), perTask];
  sink.submit(op.BATCH_NORM_APPLY, Math.ceil(planes / perTask), words);
};

export const batchNormRunning: Lowering = ({ sink, scalar, address }) => {
  const buffers = ['mean', 'variance', 'runningMean', 'runningVariance'].map(address);
  const numbers = [floatBits(scalar('momentum')), floatBits(scalar('correction'))];
  sink.submit(op.BATCH_NORM_RUNNING, 1, [...buffers, scalar('channels'), ...numbers]);
};

export const batchNormGradParams: Lowering = ({ sink, scalar, address }) => {
  const channels = scalar('channels');
  const buffers = ['x', 'dy', 'mean', 'variance', 'dGamma', 'dBeta'].map(address);
  const shape = [scalar('batch'), channels, scalar('spatial')];
  sink.submit(op.BATCH_NORM_GRAD_PARAMS, channels, [...buffers, ...shape, floatBits(scalar('epsilon'))]);
};

export const batchNormGradInput: Lowering = ({ sink, scalar, address, constants }) => {
  const planes = scalar('batch') * scalar('channels');
  const perTask = unitsPerTask(scalar('spatial'));
  const buffers = ['x', 'dy', 'mean', 'variance', 'gamma', 'dGamma', 'dBeta', 'dx'].map(address);
  const shape = [planes, scalar('channels'), scalar('spatial')];
  const rest = [floatBits(scalar('epsilon')), constants.batchStatistics ? 1 : 0, perTask];
  sink.submit(op.BATCH_NORM_GRAD_INPUT, Math.ceil(planes / perTask), [...buffers, ...shape, ...rest]);
};
