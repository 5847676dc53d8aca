/** Reductions. y = Σ x → every summed x receives dy; y = max x → the maxima share dy. */
import { record } from '../autograd/tape.ts';
import { argmax as argmaxKernel, type ReduceOperator, reduce as reduceKernel } from '../kernels/reduce.ts';
import { empty } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { normalizeAxes, normalizeAxis, type Shape, sameShape, shapeText, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { div, equal, mul, square, sub } from './elementwise.ts';
import { broadcastTo, reshape } from './shape.ts';

export interface ReduceOptions {
  /** Keep the reduced axes with extent 1. */
  readonly keepDims?: boolean;
}

type Axes = number | readonly number[] | undefined;

const withOnes = (shape: Shape, axes: readonly number[]): number[] =>
  shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
const without = (shape: Shape, axes: readonly number[]): number[] => shape.filter((_, axis) => !axes.includes(axis));

/** Reduces axes from the last to the first; runs of neighbouring axes go in one launch. The result keeps extents of 1. */
function reduceAxes(operator: ReduceOperator, x: Tensor, axes: readonly number[]): Tensor {
  let current = x;
  let last = axes.length - 1;
  while (last >= 0) {
    let first = last;
    while (first > 0 && axes[first - 1] === axes[first]! - 1) first--;
    const [from, to] = [axes[first]!, axes[last]!];
    const { shape } = current;
    const params = {
      outer: sizeOf(shape.slice(0, from)),
      reduced: sizeOf(shape.slice(from, to + 1)),
      inner: sizeOf(shape.slice(to + 1)),
    };
    const out = empty(withOnes(shape, axes.slice(first, last + 1)), 'f32', x.device);
    launch(reduceKernel, { operator }, params, { x: current, out });
    current = out;
    last = first - 1;
  }
  return current === x ? x.view(x.shape) : current;
}

/** Sum over `axes` (all by default). */
export function sum(x: Tensor, axes?: Axes, { keepDims = false }: ReduceOptions = {}): Tensor {
  const list = normalizeAxes(axes, x.rank, 'sum');
  const kept = withOnes(x.shape, list);
  const y = reduceAxes('sum', x, list).view(keepDims ? kept : without(x.shape, list));
  return record('sum', [x], y, [], (dy) => [broadcastTo(reshape(dy, kept), x.shape)]);
}

/** Arithmetic mean over `axes` (all by default). */
export function mean(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  const list = normalizeAxes(axes, x.rank, 'mean');
  return div(sum(x, list, options), sizeOf(list.map((axis) => x.shape[axis]!)));
}

/** Σ (x − mean)² / (M − correction) over `axes`; correction 1 (the default, as in PyTorch) gives the unbiased estimate. */
export function variance(
  x: Tensor,
  axes?: Axes,
  { keepDims = false, correction = 1 }: ReduceOptions & { correction?: number } = {},
): Tensor {
  const list = normalizeAxes(axes, x.rank, 'variance');
  const count = sizeOf(list.map((axis) => x.shape[axis]!));
  const centred = sub(x, mean(x, list, { keepDims: true }));
  return div(sum(square(centred), list, { keepDims }), count - correction);
}

function extremum(operator: 'maximum' | 'minimum', x: Tensor, axes: Axes, keepDims: boolean): Tensor {
  const list = normalizeAxes(axes, x.rank, operator);
  if (sizeOf(list.map((axis) => x.shape[axis]!)) === 0) {
    throw new RangeError(
      `${operator}: a tensor of shape ${shapeText(x.shape)} has no elements along the axes [${list.join(', ')}]`,
    );
  }
  const kept = withOnes(x.shape, list);
  const y = reduceAxes(operator, x, list).view(keepDims ? kept : without(x.shape, list));
  return record(operator, [x], y, [x, y], (dy) => {
    const chosen = equal(x, y.view(kept));
    return [mul(div(chosen, sum(chosen, list, { keepDims: true })), reshape(dy, kept))];
  });
}

/** Largest element over `axes` (all by default); equal maxima share the gradient. */
export const max = (x: Tensor, axes?: Axes, { keepDims = false }: ReduceOptions = {}): Tensor =>
  extremum('maximum', x, axes, keepDims);
/** Smallest element over `axes` (all by default); equal minima share the gradient. */
export const min = (x: Tensor, axes?: Axes, { keepDims = false }: ReduceOptions = {}): Tensor =>
  extremum('minimum', x, axes, keepDims);

/** Index (int32) of the largest element along one axis; the first wins a tie. No gradient. */
export function argmax(x: Tensor, axis: number): Tensor {
  const at = normalizeAxis(axis, x.rank, 'argmax');
  const out = empty(without(x.shape, [at]), 'i32', x.device);
  const params = { outer: sizeOf(x.shape.slice(0, at)), reduced: x.shape[at]!, inner: sizeOf(x.shape.slice(at + 1)) };
  launch(argmaxKernel, {}, params, { x, out });
  return out;
}

/** Sums a gradient of a broadcast shape back to the shape it was broadcast from. */
export function sumTo(gradient: Tensor, shape: Shape): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const missing = gradient.rank - shape.length;
  const axes = gradient.shape.flatMap((extent, axis) =>
    axis < missing || (shape[axis - missing] === 1 && extent !== 1) ? [axis] : [],
  );
  return reshape(sum(gradient, axes, { keepDims: true }), shape);
}
