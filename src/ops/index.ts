/** Every differentiable operation. Importing it also adds the methods of Tensor. */
import './methods.ts';

export { type BatchNormOptions, batchNorm } from './batchNorm.ts';
export { type Conv2dOptions, conv2d, type Pair } from './conv2d.ts';
export { dropout } from './dropout.ts';
export { type Eigen, eigh } from './eigen.ts';
export * from './elementwise.ts';
export { type CrossEntropyOptions, crossEntropy, logSoftmax, softmax } from './loss.ts';
export { linear, type MatmulOptions, matmul } from './matmul.ts';
export { adaptiveAvgPool2d, avgPool2d, maxPool2d, type PoolOptions } from './pool.ts';
export { argmax, max, mean, min, type ReduceOptions, sum, sumTo, variance } from './reduce.ts';
export * from './shape.ts';
