/** Programs of the convolution family: forward, input gradient, weight gradient. */
import type { Program } from './program.ts';

export const conv2dPrograms: readonly Program[] = [];
