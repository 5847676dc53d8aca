/**
 * Two-dimensional convolution.
 *
 *   y = conv(x, w)   →   dx = convᵀ(dy, w),  dw = corr(x, dy)
 *
 * Each of the three is linear in both of its arguments and is the gradient of the other two:
 *   g = convᵀ(dy, w):  d(dy) = conv(dg, w),   dw = corr(dg, dy)
 *   h = corr(x, dy):   dx = convᵀ(dy, dh),    d(dy) = conv(x, dh)
 */
import { record } from '../autograd/tape.ts';
import {
  type Conv2dParams,
  conv2d as conv2dKernel,
  conv2dInputGrad as inputGradKernel,
  conv2dWeightGrad as weightGradKernel,
} from '../kernels/conv2d.ts';
import { empty } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { shapeText, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { add } from './elementwise.ts';
import { sum } from './reduce.ts';
import { reshape } from './shape.ts';

/** One number for both directions, or [vertical, horizontal]. */
export type Pair = number | readonly [number, number];
export const pair = (value: Pair): readonly [number, number] => (typeof value === 'number' ? [value, value] : value);

/** The pair, if both are whole numbers ≥ `least`; else an error that names operation and option. */
export function wholePair(operation: string, option: string, value: Pair, least: number): readonly [number, number] {
  const both = pair(value);
  if (!both.every((number) => Number.isInteger(number) && number >= least)) {
    throw new RangeError(`${operation}: ${option} is (${both.join(', ')}); it must be whole numbers ≥ ${least}`);
  }
  return both;
}

export interface Conv2dOptions {
  readonly bias?: Tensor | null;
  readonly stride?: Pair;
  readonly padding?: Pair;
  readonly dilation?: Pair;
  readonly groups?: number;
}

/**
 * x (N, Cin, H, W) and weight (Cout, Cin/groups, kh, kw) → (N, Cout, H', W') with
 * H' = ⌊(H + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1; bias (Cout). PyTorch's conv2d.
 */
export function conv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  const y = forward(x, weight, conv2dParams(x, weight, options));
  if (options.bias && options.bias.size !== weight.shape[0]) {
    throw new RangeError(`conv2d: bias ${shapeText(options.bias.shape)} for ${weight.shape[0]} output channels`);
  }
  return options.bias ? add(y, reshape(options.bias, [1, -1, 1, 1])) : y;
}

function conv2dParams(
  x: Tensor,
  weight: Tensor,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: Conv2dOptions,
): Conv2dParams {
  const given = `x ${shapeText(x.shape)}, weight ${shapeText(weight.shape)}`;
  if (x.rank !== 4 || weight.rank !== 4) throw new RangeError(`conv2d: ${given}: both need four dimensions`);
  const [batch, inChannels, inHeight, inWidth] = x.shape as [number, number, number, number];
  const [outChannels, groupChannels, kernelHeight, kernelWidth] = weight.shape as [number, number, number, number];
  if (inChannels !== groupChannels * groups || outChannels % groups !== 0) {
    throw new RangeError(
      `conv2d: ${given}, groups ${groups}: the weight needs ${inChannels}/${groups} input channels and a multiple of ${groups} output channels`,
    );
  }
  const [strideHeight, strideWidth] = wholePair('conv2d', 'stride', stride, 1);
  const [paddingHeight, paddingWidth] = wholePair('conv2d', 'padding', padding, 0);
  const [dilationHeight, dilationWidth] = wholePair('conv2d', 'dilation', dilation, 1);
  const outHeight =
    Math.floor((inHeight + 2 * paddingHeight - dilationHeight * (kernelHeight - 1) - 1) / strideHeight) + 1;
  const outWidth = Math.floor((inWidth + 2 * paddingWidth - dilationWidth * (kernelWidth - 1) - 1) / strideWidth) + 1;
  if (outHeight < 1 || outWidth < 1)
    throw new RangeError(`conv2d: ${given}: the kernel is larger than the padded input`);
  return {
    batch,
    inChannels,
    inHeight,
    inWidth,
    outChannels,
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
    groups,
  };
}

function forward(x: Tensor, w: Tensor, params: Conv2dParams): Tensor {
  const y = empty([params.batch, params.outChannels, params.outHeight, params.outWidth], 'f32', x.device);
  launch(conv2dKernel, {}, params, { x, w, y });
  return record('conv2d', [x, w], y, [x, w], (dy) => [
    x.requiresGrad ? inputGradient(dy, w, params) : null,
    w.requiresGrad ? weightGradient(x, dy, params) : null,
  ]);
}

function inputGradient(dy: Tensor, w: Tensor, params: Conv2dParams): Tensor {
  const dx = empty([params.batch, params.inChannels, params.inHeight, params.inWidth], 'f32', dy.device);
  launch(inputGradKernel, {}, params, { dy, w, dx });
  return record('conv2d input gradient', [dy, w], dx, [dy, w], (dg) => [
    forward(dg, w, params),
    weightGradient(dg, dy, params),
  ]);
}

function weightGradient(x: Tensor, dy: Tensor, params: Conv2dParams): Tensor {
  const shape = [params.outChannels, params.inChannels / params.groups, params.kernelHeight, params.kernelWidth];
  const splits = weightGradientSplits(params, sizeOf(shape));
  const parts = empty([splits, ...shape], 'f32', x.device);
  launch(weightGradKernel, {}, { ...params, splits }, { x, dy, dw: parts });
  const dw = splits === 1 ? parts.view(shape) : sum(parts, 0);
  return record('conv2d weight gradient', [x, dy], dw, [x, dy], (dh) => [
    inputGradient(dy, dh, params),
    forward(x, dh, params),
  ]);
}

/**
 * Into how many partial sums the weight gradient's long sum is cut: about 4,096 terms each, which keeps a GPU busy where the
 * result is small and float32 sums accurate, but no more than 2²² partial results. Depends on shapes alone: every device adds
 * in the same order.
 */
function weightGradientSplits({ batch, outHeight, outWidth }: Conv2dParams, weights: number): number {
  const rows = batch * outHeight;
  const wanted = Math.ceil((rows * outWidth) / 4096);
  return Math.max(1, Math.min(wanted, rows, Math.floor(2 ** 22 / Math.max(1, weights))));
}
