import fc from 'fast-check';
import { eight } from '../../../src/kernels/contract.ts';
import {
  accumulate,
  BINARY_OPERATORS,
  type BinaryOperator,
  binary,
  firstNonFinite,
  toFloat,
  UNARY_OPERATORS,
  type UnaryOperator,
  unary,
} from '../../../src/kernels/elementwise.ts';
import { describeCases } from '../case.ts';
import type { Data } from '../data.ts';
import { between, count } from './shapes.ts';

/** Where the function is defined and its relative error is that of the function, not of an argument near a zero of it. */
function unaryInput(data: Data, operator: UnaryOperator, length: number, alpha: number): Float32Array {
  switch (operator) {
    case 'sqrt':
    case 'rsqrt':
      return data.uniform(length, 0.01, 50);
    case 'log':
      return data.floats(length, () => (data.next() < 0.5 ? 0.02 + 0.5 * data.next() : 2 + 20 * data.next()));
    case 'power':
      if (!Number.isInteger(alpha)) return data.uniform(length, 0.1, 3);
      return data.signed(length, 0.4, 2);
    case 'reciprocal':
      return data.signed(length, 0.1, 5);
    case 'sin':
      return data.signed(length, 0.2, 2.9);
    case 'cos':
      return data.signed(length, 0, 1.3);
    case 'tanh':
    case 'sigmoid':
      return data.floats(length, (i) => (i % 16 === 15 ? 200 : 4) * (2 * data.next() - 1));
    case 'affine':
      return data.uniform(length, 0, 5);
    case 'exp':
      return data.signed(length, 0, 5);
    default:
      return data.levels(length);
  }
}

const unaryParams = (operator: UnaryOperator) => {
  const [alpha, beta] =
    operator === 'power'
      ? [fc.constantFrom(-2, -1, -0.5, 0, 0.5, 1, 2, 2.5, 3), fc.constant(0)]
      : [fc.constantFrom(-0.5, 0, 0.25), fc.constantFrom(0.25, 0.5, 0.75)];
  return fc.record({ count, alpha, beta });
};

/** Operands for which neither a quotient nor a power leaves the ordinary numbers; with ties for comparisons. */
function binaryOperand(data: Data, operator: BinaryOperator, length: number): Float32Array {
  if (operator === 'power') return data.uniform(length, 0.2, 3);
  if (operator === 'divide') return data.signed(length, 0.2, 3);
  return data.levels(length);
}

const sameShape = fc.record({
  count,
  rank: fc.constant(1),
  shape: fc.constant(eight([0])),
  aStrides: fc.constant(eight([])),
  bStrides: fc.constant(eight([])),
});

/** Row-major strides of an operand that has 1 where `repeated`. */
function operandStrides(shape: readonly number[], repeated: readonly boolean[]): number[] {
  const strides = new Array<number>(shape.length).fill(0);
  let next = 1;
  for (let k = shape.length - 1; k >= 0; k--) {
    if (repeated[k]) continue;
    strides[k] = next;
    next *= shape[k]!;
  }
  return strides;
}

const broadcastShape = fc
  .array(fc.record({ size: between(0, 7), a: fc.boolean(), b: fc.boolean() }), { maxLength: 5 })
  .map((axes) => {
    // An axis of no elements in every fourth case or so, not in nearly all.
    const shape = axes.map(({ size }, k) => (size === 0 && k > 0 ? 3 : size));
    return {
      count: shape.reduce((product, size) => product * size, 1),
      rank: shape.length,
      shape: eight(shape, 1),
      aStrides: eight(
        operandStrides(
          shape,
          axes.map(({ a }) => a),
        ),
      ),
      bStrides: eight(
        operandStrides(
          shape,
          axes.map(({ b }) => b),
        ),
      ),
    };
  });

/** (6, 5, 300) with a of shape (5, 1) and b of shape (6, 1, 300): BatchNorm's shape of broadcasting. */
const overChannels = {
  count: 9000,
  rank: 3,
  shape: eight([6, 5, 300], 1),
  aStrides: eight([0, 1, 0]),
  bStrides: eight([300, 0, 1]),
};

export const elementwiseCases = [
  describeCases(unary, {
    params: ({ operator }) => unaryParams(operator),
    inputs: (data, sizes, { alpha }, { operator }) => ({ x: unaryInput(data, operator, sizes.x, alpha) }),
    chosen: UNARY_OPERATORS.map((operator) => [{ operator }, { count: 20_011, alpha: 0.5, beta: 0.75 }] as const),
  }),
  describeCases(binary, {
    params: ({ broadcast }) => (broadcast ? broadcastShape : sameShape),
    inputs: (data, sizes, _params, { operator }) => ({
      a: binaryOperand(data, operator, sizes.a),
      b: binaryOperand(data, operator, sizes.b),
    }),
    chosen: BINARY_OPERATORS.map((operator) => [{ operator, broadcast: true }, overChannels] as const),
  }),
  describeCases(accumulate, {
    params: () => fc.record({ count }),
    inputs: (data, sizes) => ({ x: data.signed(sizes.x, 0, 2), out: data.signed(sizes.out, 0, 2) }),
  }),
  describeCases(toFloat, {
    params: () => fc.record({ count }),
    inputs: (data, sizes) => ({ x: data.integers(sizes.x, -(2 ** 24), 2 ** 24) }),
  }),
  describeCases(firstNonFinite, {
    params: () => fc.record({ count }),
    inputs: (data, sizes) => {
      const x = data.floats(sizes.x, () => data.pick([0, -0, 1e-42, -3e38, 7]));
      if (x.length > 0) {
        for (let n = data.index(4); n > 0; n--) {
          x[data.index(x.length)] = data.pick([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
        }
      }
      return { x };
    },
    chosen: [[{}, { count: 100_003 }]],
  }),
];
