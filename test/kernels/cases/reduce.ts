import fc from 'fast-check';
import { argmax, reduce } from '../../../src/kernels/reduce.ts';
import { describeCases } from '../case.ts';
import { between } from './shapes.ts';

const length = fc.constantFrom(1, 2, 3, 5, 31, 32, 33, 64, 255, 257, 700);

const shapes = (smallest: number) =>
  fc.oneof(
    fc.record({ outer: between(0, 9), reduced: length, inner: fc.constant(1) }),
    fc.record({ outer: between(0, 9), reduced: between(smallest, 40), inner: between(1, 70) }),
  );

/** A whole tensor to one number; few long rows; a bias gradient's (32, 10 · 64); columns. */
const large = [
  { outer: 1, reduced: 100_003, inner: 1 },
  { outer: 3, reduced: 10_000, inner: 1 },
  { outer: 1, reduced: 32, inner: 640 },
  { outer: 5, reduced: 1001, inner: 67 },
  { outer: 500, reduced: 10, inner: 1 },
];

export const reduceCases = [
  describeCases(reduce, {
    params: ({ operator }) => shapes(operator === 'sum' ? 0 : 1),
    inputs: (data, sizes) => ({ x: data.summands(sizes.x) }),
    chosen: (['sum', 'maximum', 'minimum'] as const).flatMap((operator) =>
      large.map((params) => [{ operator }, params] as const),
    ),
  }),
  describeCases(argmax, {
    params: () => shapes(1),
    inputs: (data, sizes) => ({ x: data.next() < 0.5 ? data.levels(sizes.x) : data.signed(sizes.x, 0, 5) }),
    chosen: large.map((params) => [{}, params] as const),
  }),
];
