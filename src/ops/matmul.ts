/**
 * Matrix products.
 *
 *   Y = A·B   →   dA = dY·Bᵀ,  dB = Aᵀ·dY
 *
 * Both gradients are products again, with one operand transposed in place by the kernel; nothing is ever copied to transpose.
 */
import { record } from '../autograd/tape.ts';
import { matmul as matmulKernel } from '../kernels/matmul.ts';
import { empty } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { broadcastShapes, type Shape, sameShape, shapeText, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { add } from './elementwise.ts';
import { sumTo } from './reduce.ts';
import { broadcastTo, reshape } from './shape.ts';

export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/**
 * (…, m, k) × (…, k, n) → (…, m, n); leading axes broadcast. With `transposeA`, a is stored as (…, k, m); with
 * `transposeB`, b as (…, n, k). A vector counts as one row (left) or one column (right), as in NumPy.
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions = {}): Tensor {
  if (a.rank === 0 || b.rank === 0)
    throw new RangeError(`matmul: shapes ${shapeText(a.shape)} and ${shapeText(b.shape)}: a scalar is no matrix`);
  if (a.rank === 1) return dropAxis(matmul(reshape(a, [1, a.size]), b, { transposeB }), -2);
  if (b.rank === 1) return dropAxis(matmul(a, reshape(b, [b.size, 1]), { transposeA }), -1);
  return product(a, b, transposeA, transposeB);
}

const dropAxis = (x: Tensor, axis: -1 | -2): Tensor =>
  reshape(x, axis === -1 ? x.shape.slice(0, -1) : [...x.shape.slice(0, -2), x.shape.at(-1)!]);

function product(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  const [m, k] = matrixShape(a, transposeA);
  const [k2, n] = matrixShape(b, transposeB);
  if (k !== k2) {
    const form = (x: Tensor, t: boolean) => `${shapeText(x.shape)}${t ? 'ᵀ' : ''}`;
    throw new RangeError(
      `matmul: shapes ${form(a, transposeA)} and ${form(b, transposeB)}: ${k} columns against ${k2} rows`,
    );
  }
  const batchShape = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), 'matmul');
  const left = batched(a, batchShape);
  const right = batched(b, batchShape);
  const out = empty([...batchShape, m, n], 'f32', a.device);
  const params = { batch: sizeOf(batchShape), m, n, k, aBatchStride: left.stride, bBatchStride: right.stride };
  launch(matmulKernel, { transposeA, transposeB }, params, { a: left.tensor, b: right.tensor, out });
  return record('matmul', [a, b], out, [a, b], (dy) => [
    a.requiresGrad
      ? sumTo(transposeA ? product(b, dy, transposeB, true) : product(dy, b, false, !transposeB), a.shape)
      : null,
    b.requiresGrad
      ? sumTo(transposeB ? product(dy, a, true, transposeA) : product(a, dy, !transposeA, false), b.shape)
      : null,
  ]);
}

const matrixShape = (x: Tensor, transposed: boolean): [number, number] =>
  transposed ? [x.shape.at(-1)!, x.shape.at(-2)!] : [x.shape.at(-2)!, x.shape.at(-1)!];

/** One matrix for the whole batch costs nothing; a partial broadcast is written out. */
function batched(x: Tensor, batchShape: Shape): { tensor: Tensor; stride: number } {
  const own = x.shape.slice(0, -2);
  const matrix = x.shape.at(-2)! * x.shape.at(-1)!;
  if (sizeOf(own) === 1) return { tensor: x, stride: 0 };
  if (sameShape(own, batchShape)) return { tensor: x, stride: matrix };
  return { tensor: broadcastTo(x, [...batchShape, ...x.shape.slice(-2)]), stride: matrix };
}

/** x (…, in) → x·Wᵀ + b (…, out), with W of shape (out, in) and b of shape (out). */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor {
  const [outFeatures, inFeatures] = weight.shape;
  if (x.rank === 0 || weight.rank !== 2 || x.shape.at(-1) !== inFeatures || (bias && bias.size !== outFeatures)) {
    const given = `x ${shapeText(x.shape)}, weight ${shapeText(weight.shape)}${bias ? `, bias ${shapeText(bias.shape)}` : ''}`;
    throw new RangeError(`linear: ${given}: they must be (…, in), (out, in) and (out)`);
  }
  const y = matmul(reshape(x, [-1, x.shape.at(-1) ?? 1]), weight, { transposeB: true });
  return reshape(bias ? add(y, bias) : y, [...x.shape.slice(0, -1), weight.shape[0]!]);
}
