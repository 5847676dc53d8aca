/** Programs of the matrix multiplication family. */
import type { Program } from './program.ts';

export const matmulPrograms: readonly Program[] = [];
