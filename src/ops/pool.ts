/**
 * Pooling over (N, C, H, W).
 *
 *   y = max over a window  →  dx receives dy at the window's (first) maximum
 *   y = mean over a window →  dx receives dy/size at every element of the window
 */
import { onceDifferentiable, record } from '../autograd/tape.ts';
import {
  avgPool2dGrad,
  avgPool2d as avgPoolKernel,
  maxPool2dGrad,
  maxPool2d as maxPoolKernel,
  type PoolParams,
} from '../kernels/pool.ts';
import { empty, tensor } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Pair, pair, wholePair } from './conv2d.ts';
import { matmul } from './matmul.ts';
import { mean } from './reduce.ts';

export interface PoolOptions {
  readonly kernelSize: Pair;
  /** Default: the kernel size. */
  readonly stride?: Pair;
  /** At most half the kernel size. */
  readonly padding?: Pair;
  /** Let the last window hang over the edge instead of leaving the rest out. */
  readonly ceilMode?: boolean;
}

/** Does each of `count` windows along an axis touch one of its `size` elements? With dilation, padding can swallow one whole. */
function everyWindowCovers(
  count: number,
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): boolean {
  return Array.from({ length: count }, (_, i) => i * stride - padding).every((start) =>
    Array.from({ length: kernel }, (_, tap) => start + tap * dilation).some((place) => place >= 0 && place < size),
  );
}

function poolParams(operation: string, x: Tensor, options: PoolOptions & { dilation?: Pair }): PoolParams {
  if (x.rank !== 4) throw new RangeError(`${operation}: x ${shapeText(x.shape)} needs four dimensions`);
  const [batch, channels, inHeight, inWidth] = x.shape as [number, number, number, number];
  const [kernelHeight, kernelWidth] = wholePair(operation, 'kernelSize', options.kernelSize, 1);
  const [strideHeight, strideWidth] = wholePair(operation, 'stride', options.stride ?? options.kernelSize, 1);
  const [paddingHeight, paddingWidth] = wholePair(operation, 'padding', options.padding ?? 0, 0);
  const [dilationHeight, dilationWidth] = wholePair(operation, 'dilation', options.dilation ?? 1, 1);
  if (2 * paddingHeight > kernelHeight || 2 * paddingWidth > kernelWidth) {
    throw new RangeError(
      `${operation}: padding (${paddingHeight}, ${paddingWidth}) is more than half the kernel (${kernelHeight}, ${kernelWidth})`,
    );
  }
  const windows = (size: number, kernel: number, stride: number, padding: number, dilation: number): number => {
    const room = size + 2 * padding - dilation * (kernel - 1) - 1;
    const count = (options.ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
    // A window that would begin beyond the input and its left padding covers nothing (PyTorch's rule).
    return options.ceilMode && (count - 1) * stride >= size + padding ? count - 1 : count;
  };
  const outHeight = windows(inHeight, kernelHeight, strideHeight, paddingHeight, dilationHeight);
  const outWidth = windows(inWidth, kernelWidth, strideWidth, paddingWidth, dilationWidth);
  if (outHeight < 1 || outWidth < 1)
    throw new RangeError(
      `${operation}: x ${shapeText(x.shape)} is smaller than the kernel (${kernelHeight}, ${kernelWidth})`,
    );
  if (
    !everyWindowCovers(outHeight, inHeight, kernelHeight, strideHeight, paddingHeight, dilationHeight) ||
    !everyWindowCovers(outWidth, inWidth, kernelWidth, strideWidth, paddingWidth, dilationWidth)
  ) {
    throw new RangeError(
      `${operation}: a window over x ${shapeText(x.shape)} covers padding alone; use less padding or dilation`,
    );
  }
  return {
    planes: batch * channels,
    inHeight,
    inWidth,
    outHeight,
    outWidth,
    kernelHeight,
    kernelWidth,
    strideHeight,
    strideWidth,
    paddingHeight,
    paddingWidth,
    dilationHeight,
    dilationWidth,
  };
}

const outputShape = (x: Tensor, params: PoolParams): number[] => [
  x.shape[0]!,
  x.shape[1]!,
  params.outHeight,
  params.outWidth,
];

/** Largest element of each window; padding never wins. PyTorch's max_pool2d. */
export function maxPool2d(x: Tensor, options: PoolOptions & { dilation?: Pair }): Tensor {
  const params = poolParams('maxPool2d', x, options);
  const y = empty(outputShape(x, params), 'f32', x.device);
  const indices = empty(y.shape, 'i32', x.device);
  launch(maxPoolKernel, {}, params, { x, y, indices });
  return record('maxPool2d', [x], y, [indices], (dy) => {
    const dx = empty(x.shape, 'f32', x.device);
    launch(maxPool2dGrad, {}, params, { dy, indices, dx });
    return [onceDifferentiable('maxPool2d', [dy], dx)];
  });
}

/** Mean of each window; with `countPadding` (PyTorch's default) padding counts as zeros. PyTorch's avg_pool2d. */
export function avgPool2d(x: Tensor, options: PoolOptions & { countPadding?: boolean }): Tensor {
  return average(x, poolParams('avgPool2d', x, options), options.countPadding ?? true);
}

function average(x: Tensor, params: PoolParams, countPadding: boolean): Tensor {
  const y = empty(outputShape(x, params), 'f32', x.device);
  launch(avgPoolKernel, { countPadding }, params, { x, y });
  return record('avgPool2d', [x], y, [], (dy) => [spread(dy, x.shape, params, countPadding)]);
}

/** The transpose of `average`. */
function spread(dy: Tensor, shape: readonly number[], params: PoolParams, countPadding: boolean): Tensor {
  const dx = empty(shape, 'f32', dy.device);
  launch(avgPool2dGrad, { countPadding }, params, { dy, dx });
  return record('avgPool2d gradient', [dy], dx, [], (dg) => [average(dg, params, countPadding)]);
}

/**
 * (N, C, H, W) → (N, C, h, w): window i of h covers ⌊i·H/h⌋ … ⌈(i+1)·H/h⌉ (PyTorch's adaptive_avg_pool2d). A linear map
 * along each axis, so it is two small matrix products; to 1×1 it is a mean.
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: Pair): Tensor {
  if (x.rank !== 4) throw new RangeError(`adaptiveAvgPool2d: x ${shapeText(x.shape)} needs four dimensions`);
  const [outHeight, outWidth] = pair(outputSize);
  if (outHeight === 1 && outWidth === 1) return mean(x, [2, 3], { keepDims: true });
  const rows = tensor(averagingMatrix(x.shape[2]!, outHeight), { device: x.device });
  const columns = tensor(averagingMatrix(x.shape[3]!, outWidth), { device: x.device });
  return matmul(rows, matmul(x, columns, { transposeB: true }));
}

function averagingMatrix(from: number, to: number): number[][] {
  return Array.from({ length: to }, (_, i) => {
    const start = Math.floor((i * from) / to);
    const end = Math.ceil(((i + 1) * from) / to);
    return Array.from({ length: from }, (_, j) => (j >= start && j < end ? 1 / (end - start) : 0));
  });
}
