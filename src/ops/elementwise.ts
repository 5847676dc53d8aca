/** Elementwise operations, with NumPy's broadcasting. Each rule stands beside its forward: y = f(x) → dx = dy·f′(x). */
import { record } from '../autograd/tape.ts';
import { eight } from '../kernels/contract.ts';
import {
  type BinaryOperator,
  binary as binaryKernel,
  toFloat as toFloatKernel,
  type UnaryOperator,
  unary as unaryKernel,
} from '../kernels/elementwise.ts';
import { empty, full } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { broadcastShapes, broadcastStrides, collapseAxes, sameShape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { sumTo } from './reduce.ts';

export type Operand = Tensor | number;

function applyUnary(operator: UnaryOperator, x: Tensor, alpha = 0, beta = 0): Tensor {
  const out = empty(x.shape, 'f32', x.device);
  launch(unaryKernel, { operator }, { count: x.size, alpha, beta }, { x, out });
  return out;
}

/** y = f(x) with dx = derivative(dy, x, y). */
function unary(
  operator: UnaryOperator,
  x: Tensor,
  derivative: ((dy: Tensor, x: Tensor, y: Tensor) => Tensor) | null,
  alpha = 0,
  beta = 0,
): Tensor {
  const y = applyUnary(operator, x, alpha, beta);
  return derivative ? record(operator, [x], y, [x, y], (dy) => [derivative(dy, x, y)]) : y;
}

export const neg = (x: Tensor): Tensor => unary('negate', x, (dy) => neg(dy));
export const abs = (x: Tensor): Tensor => unary('abs', x, (dy, x) => mul(dy, sign(x)));
/** −1, 0 or 1; its derivative is taken as zero. */
export const sign = (x: Tensor): Tensor => unary('sign', x, null);
export const square = (x: Tensor): Tensor => unary('square', x, (dy, x) => mul(mul(dy, x), 2));
export const sqrt = (x: Tensor): Tensor => unary('sqrt', x, (dy, _, y) => div(mul(dy, 0.5), y));
export const rsqrt = (x: Tensor): Tensor => unary('rsqrt', x, (dy, x, y) => mul(dy, mul(div(y, x), -0.5)));
export const reciprocal = (x: Tensor): Tensor => unary('reciprocal', x, (dy, _, y) => neg(mul(dy, square(y))));
export const exp = (x: Tensor): Tensor => unary('exp', x, (dy, _, y) => mul(dy, y));
export const log = (x: Tensor): Tensor => unary('log', x, (dy, x) => div(dy, x));
export const sin = (x: Tensor): Tensor => unary('sin', x, (dy, x) => mul(dy, cos(x)));
export const cos = (x: Tensor): Tensor => unary('cos', x, (dy, x) => neg(mul(dy, sin(x))));
export const tanh = (x: Tensor): Tensor => unary('tanh', x, (dy, _, y) => mul(dy, affine(square(y), -1, 1)));
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', x, (dy, _, y) => mul(dy, mul(y, affine(y, -1, 1))));
/** max(x, 0); the derivative at 0 is 0. */
export const relu = (x: Tensor): Tensor => unary('relu', x, (dy, _, y) => reluGrad(dy, y));
/** x·sigmoid(x), also called swish. */
export const silu = (x: Tensor): Tensor => mul(x, sigmoid(x));
/** alpha·x + beta. */
export const affine = (x: Tensor, alpha: number, beta = 0): Tensor =>
  unary('affine', x, (dy) => affine(dy, alpha), alpha, beta);
/** Limits x to [low, high]; the derivative is 1 inside (ends included) and 0 outside. */
export const clamp = (x: Tensor, low: number, high: number): Tensor =>
  unary('clamp', x, (dy, x) => mul(dy, unary('inRange', x, null, low, high)), low, high);

/** x^exponent for a number or a tensor of exponents; x ≥ 0 unless the exponent is a whole number. */
export function pow(x: Tensor, exponent: Operand): Tensor {
  if (typeof exponent === 'number') {
    // x⁰ is 1 everywhere, but 0·x⁻¹ would be NaN at 0.
    const slope = (x: Tensor) => (exponent === 0 ? mul(x, 0) : mul(pow(x, exponent - 1), exponent));
    return unary('power', x, (dy, x) => mul(dy, slope(x)), exponent);
  }
  // At base 0 or exponent 0 the factors below would be 0·∞: the first is masked by the exponent, the second by the base.
  return binary('power', x, exponent, (dy, a, b, y) => [
    mul(dy, mul(b, pow(a, sub(b, notEqual(b, 0))))),
    mul(dy, mul(y, log(add(a, equal(a, 0))))),
  ]);
}

function applyBinary(operator: BinaryOperator, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShapes(a.shape, b.shape, operator);
  const out = empty(shape, 'f32', a.device);
  const isPlain = sameShape(a.shape, shape) && sameShape(b.shape, shape);
  const walk = isPlain
    ? { shape: [], strides: [[], []] }
    : collapseAxes(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)]);
  const params = {
    count: sizeOf(shape),
    rank: walk.shape.length,
    shape: eight(walk.shape, 1),
    aStrides: eight(walk.strides[0]!),
    bStrides: eight(walk.strides[1]!),
  };
  launch(binaryKernel, { operator, broadcast: !isPlain }, params, { a, b, out });
  return out;
}

/** y = f(a, b) with gradients of the broadcast shape, which are summed back to the operands' shapes. */
function binary(
  operator: BinaryOperator,
  a: Tensor,
  b: Tensor,
  derivative: ((dy: Tensor, a: Tensor, b: Tensor, y: Tensor) => [Tensor | null, Tensor | null]) | null,
): Tensor {
  const y = applyBinary(operator, a, b);
  if (!derivative) return y;
  return record(operator, [a, b], y, [a, b, y], (dy) => {
    const [da, db] = derivative(dy, a, b, y);
    return [da && sumTo(da, a.shape), db && sumTo(db, b.shape)];
  });
}

const asTensor = (value: Operand, like: Tensor): Tensor =>
  typeof value === 'number' ? full([], value, { device: like.device }) : value;

export const add = (a: Tensor, b: Operand): Tensor =>
  typeof b === 'number' ? affine(a, 1, b) : binary('add', a, b, (dy) => [dy, dy]);
export const sub = (a: Tensor, b: Operand): Tensor =>
  typeof b === 'number' ? affine(a, 1, -b) : binary('subtract', a, b, (dy) => [dy, b.requiresGrad ? neg(dy) : null]);
export const mul = (a: Tensor, b: Operand): Tensor =>
  typeof b === 'number'
    ? affine(a, b)
    : binary('multiply', a, b, (dy, a, b) => [a.requiresGrad ? mul(dy, b) : null, b.requiresGrad ? mul(dy, a) : null]);
export const div = (a: Tensor, b: Operand): Tensor =>
  typeof b === 'number'
    ? affine(a, 1 / b)
    : binary('divide', a, b, (dy, a, b, y) => [
        a.requiresGrad ? div(dy, b) : null,
        b.requiresGrad ? neg(div(mul(dy, y), b)) : null,
      ]);

/** At a tie the gradient goes half to each operand, as PyTorch has it. */
const share = (dy: Tensor, wins: Tensor, ties: Tensor): Tensor => mul(dy, add(wins, mul(ties, 0.5)));
export const maximum = (a: Tensor, b: Operand): Tensor =>
  binary('maximum', a, asTensor(b, a), (dy, a, b) => [
    share(dy, greater(a, b), equal(a, b)),
    share(dy, less(a, b), equal(a, b)),
  ]);
export const minimum = (a: Tensor, b: Operand): Tensor =>
  binary('minimum', a, asTensor(b, a), (dy, a, b) => [
    share(dy, less(a, b), equal(a, b)),
    share(dy, greater(a, b), equal(a, b)),
  ]);

/** The comparisons give 1 and 0, and have no gradient. */
export const equal = (a: Tensor, b: Operand): Tensor => binary('equal', a, asTensor(b, a), null);
export const notEqual = (a: Tensor, b: Operand): Tensor => binary('notEqual', a, asTensor(b, a), null);
export const less = (a: Tensor, b: Operand): Tensor => binary('less', a, asTensor(b, a), null);
export const lessEqual = (a: Tensor, b: Operand): Tensor => binary('lessEqual', a, asTensor(b, a), null);
export const greater = (a: Tensor, b: Operand): Tensor => binary('greater', a, asTensor(b, a), null);
export const greaterEqual = (a: Tensor, b: Operand): Tensor => binary('greaterEqual', a, asTensor(b, a), null);

/** dy where y > 0, else 0: linear in dy, so it is its own rule. */
const reluGrad = (dy: Tensor, y: Tensor): Tensor => binary('reluGrad', dy, y, (ddx) => [reluGrad(ddx, y), null]);

/** int32 → float32; no gradient. */
export function toFloat(x: Tensor): Tensor {
  const out = empty(x.shape, 'f32', x.device);
  launch(toFloatKernel, {}, { count: x.size }, { x, out });
  return out;
}
