/** Programs of the convolution family: forward, input gradient, weight gradient. */
import conv2dSource from '../../../../shaders/conv2d.wgsl';
import conv2dInputGradSource from '../../../../shaders/conv2dInputGrad.wgsl';
import conv2dWeightGradSource from '../../../../shaders/conv2dWeightGrad.wgsl';
import { type Conv2dParams, conv2d, conv2dInputGrad, conv2dWeightGrad } from '../../../kernels/conv2d.ts';
import { defineProgram, type Grid, linearGrid, mapGrid, type Overrides, type Program } from './program.ts';
import { chooseTile, tilesOf } from './tiles.ts';

/** A convolution as matrix products: `products` of them, each of rows × columns elements. */
interface Products {
  readonly products: number;
  readonly rows: number;
  readonly columns: number;
}

/** Groups with fewer rows than this would leave most of the smallest tile empty. */
const LEAST_ROWS = 8;
const DIRECT = { direct: 1, threadRows: 8, threadColumns: 8, depth: 1 } as const;

function overridesFor({ rows, columns }: Products, params: Conv2dParams): Overrides {
  if (params.groups > 1 && rows < LEAST_ROWS) return DIRECT;
  return { direct: 0, ...chooseTile(rows, columns, conv2d.flops(params, {})) };
}

function gridFor({ products, rows, columns }: Products, outputs: number, overrides: Overrides): Grid {
  if (overrides.direct) return mapGrid(outputs, overrides.threadRows! * overrides.threadColumns!);
  return linearGrid(products * tilesOf(overrides, rows, columns));
}

const forward = (p: Conv2dParams): Products => ({
  products: p.groups,
  rows: p.outChannels / p.groups,
  columns: p.batch * p.outHeight * p.outWidth,
});

/** One product per group and phase; columns of the largest phase. */
const inputGrad = (p: Conv2dParams): Products => ({
  products: p.groups * p.strideHeight * p.strideWidth,
  rows: p.inChannels / p.groups,
  columns: p.batch * Math.ceil(p.inHeight / p.strideHeight) * Math.ceil(p.inWidth / p.strideWidth),
});

const weightGrad = (p: Conv2dParams & { readonly splits: number }): Products => ({
  products: p.groups * p.splits,
  rows: p.outChannels / p.groups,
  columns: (p.inChannels / p.groups) * p.kernelHeight * p.kernelWidth,
});

export const conv2dPrograms: readonly Program[] = [
  defineProgram(conv2d, {
    source: conv2dSource,
    overrides: (params) => overridesFor(forward(params), params),
    workgroups: (params, constants, overrides) =>
      gridFor(forward(params), conv2d.sizes(params, constants).y, overrides),
  }),
  defineProgram(conv2dInputGrad, {
    source: conv2dInputGradSource,
    overrides: (params) => overridesFor(inputGrad(params), params),
    workgroups: (params, constants, overrides) =>
      gridFor(inputGrad(params), conv2dInputGrad.sizes(params, constants).dx, overrides),
  }),
  defineProgram(conv2dWeightGrad, {
    source: conv2dWeightGradSource,
    overrides: (params) => overridesFor(weightGrad(params), params),
    workgroups: (params, constants, overrides) =>
      gridFor(weightGrad(params), conv2dWeightGrad.sizes(params, constants).dw, overrides),
  }),
];
