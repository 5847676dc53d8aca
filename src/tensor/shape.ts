/** Shapes: lists of sizes, row-major. Nothing here knows about data. */
export type Shape = readonly number[];

export const sizeOf = (shape: Shape): number => shape.reduce((product, extent) => product * extent, 1);

export const shapeText = (shape: Shape): string => `(${shape.join(', ')})`;

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, i) => extent === b[i]);
}

/** Elements between neighbours along each axis of a contiguous tensor. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** NumPy's rule: align at the right; extents must agree or be 1. Throws naming `operation` and both shapes. */
export function broadcastShapes(a: Shape, b: Shape, operation: string): number[] {
  const rank = Math.max(a.length, b.length);
  const result = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const left = a[a.length - i] ?? 1;
    const right = b[b.length - i] ?? 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new RangeError(
        `${operation}: shapes ${shapeText(a)} and ${shapeText(b)} do not broadcast: ${left} against ${right}`,
      );
    }
    result[rank - i] = left === 1 ? right : left;
  }
  return result;
}

/** Strides that read a contiguous tensor of `shape` as if it had the shape `target`: 0 where it repeats. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const strides = contiguousStrides(shape);
  const missing = target.length - shape.length;
  return target.map((extent, axis) => {
    const own = axis - missing;
    return own < 0 || (shape[own] === 1 && extent !== 1) ? 0 : strides[own]!;
  });
}

/** Brings an axis in −rank … rank − 1 to 0 … rank − 1. */
export function normalizeAxis(axis: number, rank: number, operation: string): number {
  const normalized = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || normalized < 0 || normalized >= rank) {
    throw new RangeError(`${operation}: axis ${axis} is outside a tensor of ${rank} dimensions`);
  }
  return normalized;
}

/** Sorted distinct axes; all of them where none is given. */
export function normalizeAxes(axes: number | readonly number[] | undefined, rank: number, operation: string): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const list = typeof axes === 'number' ? [axes] : axes;
  const normalized = list.map((axis) => normalizeAxis(axis, rank, operation)).sort((a, b) => a - b);
  if (new Set(normalized).size !== normalized.length)
    throw new RangeError(`${operation}: an axis is given twice: [${list.join(', ')}]`);
  return normalized;
}

/** Fills in the one extent that may be −1. */
export function resolveShape(shape: Shape, size: number): number[] {
  const known = shape.filter((extent) => extent !== -1).reduce((product, extent) => product * extent, 1);
  const unknowns = shape.filter((extent) => extent === -1).length;
  const resolved = shape.map((extent) => (extent === -1 ? size / known : extent));
  const isValid =
    unknowns <= 1 && resolved.every((extent) => Number.isInteger(extent) && extent >= 0) && sizeOf(resolved) === size;
  if (!isValid) throw new RangeError(`reshape: ${size} elements do not fit the shape ${shapeText(shape)}`);
  return resolved;
}

/**
 * Merges neighbouring axes along which every operand advances uniformly, and drops axes of extent 1: the same walk over
 * memory in as few dimensions as possible.
 */
export function collapseAxes(
  shape: Shape,
  strides: readonly (readonly number[])[],
): { shape: number[]; strides: number[][] } {
  const merged: number[] = [];
  const mergedStrides: number[][] = strides.map(() => []);
  for (let axis = 0; axis < shape.length; axis++) {
    const extent = shape[axis]!;
    if (extent === 1) continue;
    const last = merged.length - 1;
    const joins = last >= 0 && strides.every((list, k) => mergedStrides[k]![last] === list[axis]! * extent);
    if (joins) {
      merged[last]! *= extent;
      for (const [k, list] of strides.entries()) mergedStrides[k]![last] = list[axis]!;
    } else {
      merged.push(extent);
      for (const [k, list] of strides.entries()) mergedStrides[k]!.push(list[axis]!);
    }
  }
  return { shape: merged, strides: mergedStrides };
}
