/** The lowering of every kernel, by the kernel's name. */
import * as batchNorm from './batchNorm.ts';
import type { Lowering } from './context.ts';
import { conv2d, conv2dInputGrad } from './conv2d.ts';
import * as elementwise from './elementwise.ts';
import { matmul } from './matmul.ts';
import * as pool from './pool.ts';
import { argmax, reduce } from './reduce.ts';
import * as training from './training.ts';
import { conv2dWeightGrad } from './weightGrad.ts';

export const lowerings: ReadonlyMap<string, Lowering> = new Map(
  Object.entries<Lowering>({
    fill: elementwise.fill,
    stridedCopy: elementwise.stridedCopy,
    unary: elementwise.unary,
    binary: elementwise.binary,
    accumulate: elementwise.accumulate,
    toFloat: elementwise.toFloat,
    firstNonFinite: elementwise.firstNonFinite,
    randomUniform: elementwise.randomUniform,
    reduce,
    argmax,
    matmul,
    conv2d,
    conv2dInputGrad,
    conv2dWeightGrad,
    ...batchNorm,
    ...pool,
    ...training,
  }),
);
