/** The operations as methods of Tensor: `x.matmul(w).add(b).relu()`. Importing this file adds them. */
import { type BackwardOptions, backward } from '../autograd/tape.ts';
import { Tensor } from '../tensor/tensor.ts';
import * as elementwise from './elementwise.ts';
import * as loss from './loss.ts';
import { matmul } from './matmul.ts';
import * as reduce from './reduce.ts';
import * as shape from './shape.ts';

const methods = {
  neg: elementwise.neg,
  abs: elementwise.abs,
  sign: elementwise.sign,
  square: elementwise.square,
  sqrt: elementwise.sqrt,
  rsqrt: elementwise.rsqrt,
  reciprocal: elementwise.reciprocal,
  exp: elementwise.exp,
  log: elementwise.log,
  sin: elementwise.sin,
  cos: elementwise.cos,
  tanh: elementwise.tanh,
  sigmoid: elementwise.sigmoid,
  relu: elementwise.relu,
  silu: elementwise.silu,
  clamp: elementwise.clamp,
  pow: elementwise.pow,
  add: elementwise.add,
  sub: elementwise.sub,
  mul: elementwise.mul,
  div: elementwise.div,
  maximum: elementwise.maximum,
  minimum: elementwise.minimum,
  equal: elementwise.equal,
  notEqual: elementwise.notEqual,
  less: elementwise.less,
  lessEqual: elementwise.lessEqual,
  greater: elementwise.greater,
  greaterEqual: elementwise.greaterEqual,
  toFloat: elementwise.toFloat,
  sum: reduce.sum,
  mean: reduce.mean,
  variance: reduce.variance,
  max: reduce.max,
  min: reduce.min,
  argmax: reduce.argmax,
  reshape: shape.reshape,
  flatten: shape.flatten,
  squeeze: shape.squeeze,
  unsqueeze: shape.unsqueeze,
  permute: shape.permute,
  transpose: shape.transpose,
  broadcastTo: shape.broadcastTo,
  slice: shape.slice,
  pad: shape.pad,
  detach: shape.detach,
  softmax: loss.softmax,
  logSoftmax: loss.logSoftmax,
  matmul,
  /** See `backward` in src/autograd/tape.ts. */
  backward: (output: Tensor, options?: BackwardOptions): void => backward(output, options),
};

type Method<F> = F extends (first: Tensor, ...rest: infer Rest) => infer Result ? (...rest: Rest) => Result : never;
type TensorMethods = { [Name in keyof typeof methods]: Method<(typeof methods)[Name]> };

declare module '../tensor/tensor.ts' {
  interface Tensor extends TensorMethods {}
}

for (const [name, operation] of Object.entries(methods)) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return (operation as (first: Tensor, ...rest: unknown[]) => unknown)(this, ...rest);
    },
    writable: true,
    configurable: true,
  });
}
