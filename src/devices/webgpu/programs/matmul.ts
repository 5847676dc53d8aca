/** Programs of the matrix multiplication family. */
import matmulSource from '../../../../shaders/matmul.wgsl';
import { matmul } from '../../../kernels/matmul.ts';
import { defineProgram, linearGrid, type Overrides, type Program } from './program.ts';
import { chooseTile, tilesOf } from './tiles.ts';

export const matmulPrograms: readonly Program[] = [
  defineProgram(matmul, {
    source: matmulSource,
    overrides: ({ m, n }, _constants, traits) => chooseTile(m, n, traits),
    workgroups: ({ batch, m, n }, _constants, overrides) => linearGrid(batch * tilesOf(overrides, m, n)),
  }),
];
