/** Operations that move elements or only rename their places. The gradient moves back the way the value came. */
import { record } from '../autograd/tape.ts';
import { eight } from '../kernels/contract.ts';
import { stridedCopy } from '../kernels/copy.ts';
import { empty, zeros } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import {
  broadcastShapes,
  broadcastStrides,
  collapseAxes,
  contiguousStrides,
  normalizeAxis,
  resolveShape,
  type Shape,
  sameShape,
  shapeText,
} from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { sumTo } from './reduce.ts';

interface Layout {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Copies a block of `shape` from x (read by `from`) into out (written by `to`). */
function copyBlock(x: Tensor, out: Tensor, shape: Shape, from: Layout, to: Layout): void {
  const walk = collapseAxes(shape, [from.strides, to.strides]);
  const params = {
    count: shape.reduce((product, extent) => product * extent, 1),
    rank: walk.shape.length,
    xOffset: from.offset,
    outOffset: to.offset,
    shape: eight(walk.shape, 1),
    xStrides: eight(walk.strides[0]!),
    outStrides: eight(walk.strides[1]!),
  };
  launch(stridedCopy, {}, params, { x, out });
}

const whole = (shape: Shape): Layout => ({ offset: 0, strides: contiguousStrides(shape) });

/** The same elements under another shape; one extent may be −1. Free: no copy. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  return record('reshape', [x], x.view(resolveShape(shape, x.size)), [], (dy) => [reshape(dy, x.shape)]);
}

/** Joins the axes first … last (PyTorch's flatten(1) keeps the batch axis). Free. */
export function flatten(x: Tensor, first = 0, last = -1): Tensor {
  if (x.rank === 0) return reshape(x, [1]);
  const [from, to] = [normalizeAxis(first, x.rank, 'flatten'), normalizeAxis(last, x.rank, 'flatten')];
  return reshape(x, [
    ...x.shape.slice(0, from),
    x.shape.slice(from, to + 1).reduce((a, b) => a * b, 1),
    ...x.shape.slice(to + 1),
  ]);
}

/** Removes an axis of extent 1 (all of them without an argument). Free. */
export function squeeze(x: Tensor, axis?: number): Tensor {
  const at = axis === undefined ? null : normalizeAxis(axis, x.rank, 'squeeze');
  if (at !== null && x.shape[at] !== 1)
    throw new RangeError(`squeeze: axis ${axis} of ${shapeText(x.shape)} is not of extent 1`);
  return reshape(
    x,
    x.shape.filter((extent, i) => (at === null ? extent !== 1 : i !== at)),
  );
}

/** Inserts an axis of extent 1. Free. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = normalizeAxis(axis, x.rank + 1, 'unsqueeze');
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** Reorders the axes: axis i of the result is axis order[i] of x. */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  const axes = order.map((axis) => normalizeAxis(axis, x.rank, 'permute'));
  if (new Set(axes).size !== x.rank)
    throw new RangeError(`permute: [${order.join(', ')}] does not name each of ${x.rank} axes once`);
  const shape = axes.map((axis) => x.shape[axis]!);
  const strides = contiguousStrides(x.shape);
  const y = empty(shape, 'f32', x.device);
  copyBlock(x, y, shape, { offset: 0, strides: axes.map((axis) => strides[axis]!) }, whole(shape));
  const inverse = axes.map((_, axis) => axes.indexOf(axis));
  return record('permute', [x], y, [], (dy) => [permute(dy, inverse)]);
}

/** Exchanges two axes (the last two by default). */
export function transpose(x: Tensor, a = -2, b = -1): Tensor {
  const [i, j] = [normalizeAxis(a, x.rank, 'transpose'), normalizeAxis(b, x.rank, 'transpose')];
  return permute(
    x,
    x.shape.map((_, axis) => (axis === i ? j : axis === j ? i : axis)),
  );
}

/** Repeats along axes of extent 1 (and new leading axes) until the shape is reached. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  if (!sameShape(broadcastShapes(x.shape, shape, 'broadcastTo'), shape)) {
    throw new RangeError(`broadcastTo: ${shapeText(x.shape)} does not broadcast to ${shapeText(shape)}`);
  }
  const y = empty(shape, 'f32', x.device);
  copyBlock(x, y, shape, { offset: 0, strides: broadcastStrides(x.shape, shape) }, whole(shape));
  return record('broadcastTo', [x], y, [], (dy) => [sumTo(dy, x.shape)]);
}

/** Start, end (exclusive, may be negative) and step (≥ 1) along one axis. */
export interface Range {
  readonly start?: number;
  readonly end?: number;
  readonly step?: number;
}

function resolveRange(range: Range | undefined, extent: number): { start: number; step: number; length: number } {
  const bound = (value: number) => Math.min(extent, Math.max(0, value < 0 ? value + extent : value));
  const step = range?.step ?? 1;
  if (!Number.isInteger(step) || step < 1)
    throw new RangeError(`slice: a step of ${step}; it must be a whole number ≥ 1`);
  const start = bound(range?.start ?? 0);
  return { start, step, length: Math.max(0, Math.ceil((bound(range?.end ?? extent) - start) / step)) };
}

/** A block of x: one range per leading axis, all of an axis where none is given. slice(x, [{}, { start: 2, end: 4 }]) */
export function slice(x: Tensor, ranges: readonly Range[]): Tensor {
  if (ranges.length > x.rank)
    throw new RangeError(`slice: ${ranges.length} ranges for a tensor of shape ${shapeText(x.shape)}`);
  const resolved = x.shape.map((extent, axis) => resolveRange(ranges[axis], extent));
  const shape = resolved.map(({ length }) => length);
  const strides = contiguousStrides(x.shape);
  const place = {
    offset: resolved.reduce((at, { start }, axis) => at + start * strides[axis]!, 0),
    strides: strides.map((stride, axis) => stride * resolved[axis]!.step),
  };
  const y = empty(shape, 'f32', x.device);
  copyBlock(x, y, shape, place, whole(shape));
  return record('slice', [x], y, [], (dy) => [embed(dy, x.shape, resolved)]);
}

/** Puts x into a tensor of zeros at start + i·step along every axis: the transpose of `slice`. */
function embed(x: Tensor, shape: Shape, at: readonly { start: number; step: number; length: number }[]): Tensor {
  const strides = contiguousStrides(shape);
  const y = zeros(shape, { device: x.device });
  copyBlock(x, y, x.shape, whole(x.shape), {
    offset: at.reduce((sum, { start }, axis) => sum + start * strides[axis]!, 0),
    strides: strides.map((stride, axis) => stride * at[axis]!.step),
  });
  const ranges = at.map(({ start, step, length }) => ({ start, step, end: start + (length - 1) * step + 1 }));
  return record('embed', [x], y, [], (dy) => [slice(dy, ranges)]);
}

/** Adds zeros: `padding[axis]` = [before, after], from the first axis on (PyTorch counts from the last); missing axes get none. */
export function pad(x: Tensor, padding: readonly (readonly [number, number])[]): Tensor {
  if (padding.length > x.rank || !padding.flat().every((count) => Number.isInteger(count) && count >= 0)) {
    throw new RangeError(
      `pad: [${padding.map((both) => `[${both.join(', ')}]`).join(', ')}] for x ${shapeText(x.shape)}: whole numbers ≥ 0, a pair per axis`,
    );
  }
  const shape = x.shape.map((extent, axis) => extent + (padding[axis]?.[0] ?? 0) + (padding[axis]?.[1] ?? 0));
  return embed(
    x,
    shape,
    x.shape.map((length, axis) => ({ start: padding[axis]?.[0] ?? 0, step: 1, length })),
  );
}

/** Joins tensors along an existing axis; all other extents agree. */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = tensors[0];
  if (!first) throw new RangeError('concat: no tensors were given');
  const at = normalizeAxis(axis, first.rank, 'concat');
  for (const other of tensors) {
    const agrees = other.rank === first.rank && other.shape.every((extent, i) => i === at || extent === first.shape[i]);
    if (!agrees)
      throw new RangeError(
        `concat: shapes ${shapeText(first.shape)} and ${shapeText(other.shape)} differ beyond axis ${axis}`,
      );
  }
  const shape = first.shape.map((extent, i) => (i === at ? tensors.reduce((sum, t) => sum + t.shape[at]!, 0) : extent));
  const strides = contiguousStrides(shape);
  const y = empty(shape, 'f32', first.device);
  const starts: number[] = [];
  let start = 0;
  for (const x of tensors) {
    copyBlock(x, y, x.shape, whole(x.shape), { offset: start * strides[at]!, strides });
    starts.push(start);
    start += x.shape[at]!;
  }
  return record('concat', tensors, y, [], (dy) =>
    tensors.map((x, i) => {
      const ranges: Range[] = new Array(at).fill({});
      return slice(dy, [...ranges, { start: starts[i]!, end: starts[i]! + x.shape[at]! }]);
    }),
  );
}

/** Joins tensors of one shape along a new axis. */
export const stack = (tensors: readonly Tensor[], axis = 0): Tensor =>
  concat(
    tensors.map((x) => unsqueeze(x, axis)),
    axis,
  );

/** The same memory outside the recorded computation: no gradient flows through it. Free. */
export const detach = (x: Tensor): Tensor => x.view(x.shape);
