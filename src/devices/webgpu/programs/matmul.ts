/** Programs of the matrix multiplication family. */
import matmulSource from '../../../../shaders/matmul.wgsl';
import { matmul } from '../../../kernels/matmul.ts';
import { defineProgram, linearGrid, type Program } from './program.ts';
import { chooseTile, tilesOf } from './tiles.ts';

export const matmulPrograms: readonly Program[] = [
  defineProgram(matmul, {
    source: matmulSource,
    overrides: (params, constants) => chooseTile(params.m, params.n, matmul.flops(params, constants)),
    workgroups: ({ batch, m, n }, _constants, overrides) => linearGrid(batch * tilesOf(overrides, m, n)),
  }),
];
