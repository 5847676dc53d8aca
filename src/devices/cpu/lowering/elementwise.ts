/** Lowering of the elementwise kernels, copies and random numbers. */
import { BINARY_OPERATORS, UNARY_OPERATORS } from '../../../kernels/elementwise.ts';
import * as op from '../operations.ts';
import { floatBits } from '../stream.ts';
import { chunks, type Lowering } from './context.ts';

export const fill: Lowering = ({ sink, scalar, address }) => {
  const count = scalar('count');
  sink.submit(op.FILL, chunks(count), [address('out'), count, floatBits(scalar('value'))]);
};

export const unary: Lowering = ({ sink, scalar, address, constants }) => {
  const count = scalar('count');
  const operator = UNARY_OPERATORS.indexOf(constants.operator as (typeof UNARY_OPERATORS)[number]);
  const numbers = [floatBits(scalar('alpha')), floatBits(scalar('beta'))];
  sink.submit(op.UNARY, chunks(count), [operator, address('x'), address('out'), count, ...numbers]);
};

/** One dimension of a walk through two strided operands: length, then a stride in elements for each. */
type Dimension = readonly [length: number, first: number, second: number];

/**
 * The same walk with as few dimensions as possible: those of length 1 drop out, and neighbours merge where one step of
 * the outer is `length` steps of the inner in both operands.
 */
export function mergeDimensions(dimensions: readonly Dimension[]): Dimension[] {
  const merged: Dimension[] = [];
  for (const [length, first, second] of dimensions) {
    if (length === 1) continue;
    const outer = merged.at(-1);
    if (outer !== undefined && outer[1] === first * length && outer[2] === second * length) {
      merged[merged.length - 1] = [outer[0] * length, first, second];
    } else {
      merged.push([length, first, second]);
    }
  }
  return merged.length === 0 ? [[1, 0, 0]] : merged;
}

const dimensionsOf = (rank: number, shape: readonly number[], first: readonly number[], second: readonly number[]) =>
  mergeDimensions(Array.from({ length: rank }, (_, k): Dimension => [shape[k]!, first[k]!, second[k]!]));

const dimensionWords = (dimensions: readonly Dimension[]): number[] =>
  dimensions.flatMap(([length, first, second]) => [length, 4 * first, 4 * second]);

export const binary: Lowering = ({ sink, scalar, list, address, constants }) => {
  const count = scalar('count');
  const operator = BINARY_OPERATORS.indexOf(constants.operator as (typeof BINARY_OPERATORS)[number]);
  const words = [operator, address('a'), address('b'), address('out'), count];
  if (!constants.broadcast) {
    sink.submit(op.BINARY, chunks(count), words);
    return;
  }
  const dimensions = dimensionsOf(scalar('rank'), list('shape'), list('aStrides'), list('bStrides'));
  sink.submit(op.BINARY_BROADCAST, chunks(count), [...words, dimensions.length, ...dimensionWords(dimensions)]);
};

export const stridedCopy: Lowering = ({ sink, scalar, list, address }) => {
  const count = scalar('count');
  const from = address('x') + 4 * scalar('xOffset');
  const to = address('out') + 4 * scalar('outOffset');
  const dimensions = dimensionsOf(scalar('rank'), list('shape'), list('xStrides'), list('outStrides'));
  const words = [from, to, count, dimensions.length, ...dimensionWords(dimensions)];
  sink.submit(op.STRIDED_COPY, chunks(count), words);
};

export const accumulate: Lowering = ({ sink, scalar, address }) => {
  const count = scalar('count');
  sink.submit(op.ACCUMULATE, chunks(count), [address('x'), address('out'), count]);
};

export const toFloat: Lowering = ({ sink, scalar, address }) => {
  const count = scalar('count');
  sink.submit(op.TO_FLOAT, chunks(count), [address('x'), address('out'), count]);
};

export const firstNonFinite: Lowering = ({ sink, scalar, address }) => {
  sink.submit(op.FIRST_NON_FINITE, 1, [address('x'), address('index'), scalar('count')]);
};

export const randomUniform: Lowering = ({ sink, scalar, address }) => {
  const count = scalar('count');
  sink.submit(op.RANDOM_UNIFORM, chunks(count), [address('out'), count, scalar('seed'), scalar('stream')]);
};
