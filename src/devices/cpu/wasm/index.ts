/**
 * What the module exports: the engine for the host and the workers. The rest is exported so that the optimiser keeps it
 * in functions of their own: a function that is inlined into a worker's endless loop would never be swapped for
 * optimised code.
 */
export { drain, shutdown, submitted, work } from './engine';
export { execute } from './execute';
export { binary, binaryBroadcast, stridedCopy, unary } from './elementwise';
export { argmax, reduceColumns, reduceRows } from './reduce';
export { matmulBlock, packPanels } from './matmul';
export { packPanel } from './panels';
export { multiplyTile } from './gemm';
export { multiplyEdge } from './tile';
export { packImage } from './image';
export { convolve } from './convolution';
export { packFilters } from './filters';
export { multiplyLane } from './narrow';
export { multiplyPlane, narrowWeightGrad } from './narrowGrad';
export { weightGrad } from './weightGrad';
export { batchNormApply, batchNormGradInput, batchNormGradParams, batchNormStats } from './batchNorm';
export { avgPool, avgPoolGrad, maxPool, maxPoolGrad } from './pool';
export { crossEntropy, crossEntropyGrad } from './crossEntropy';
export { randomUniform } from './random';
export { sgdUpdate } from './parameters';
export { projectRows, rowDistances } from './rows';
export { heapStart } from './memory';
