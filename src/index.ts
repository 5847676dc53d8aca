/// <reference lib="esnext.disposable" preserve="true" />
/** The library, in the order of its layers. It runs unchanged in Node and in browsers; what reads files is in `marsgrad/node`. */

// Differentiation
export { type CustomFunction, customFunction } from './autograd/customFunction.ts';
export { type GradcheckInput, type GradcheckOptions, gradcheck } from './autograd/gradcheck.ts';
export { type BackwardOptions, backward, grad, isGradEnabled, noGrad } from './autograd/tape.ts';
// Weights and data
export * from './data/catalogue.ts';
export * from './data/dataset.ts';
export * from './data/loader.ts';
export type { Mix, MixOptions } from './data/mix.ts';
export { randAugment } from './data/randAugment.ts';
export * from './data/resample.ts';
export * from './data/selection.ts';
/** Under a name of its own, because a conversion there and an operation on tensors are both `toFloat`. */
export * as transforms from './data/transforms.ts';
// Devices and the instruction set
export {
  type ChosenDevice,
  chooseDevice,
  DEVICE_CHOICES,
  type DeviceChoice,
  type DeviceRequest,
} from './devices/choose.ts';
export type {
  BufferRange,
  Device,
  DeviceBuffer,
  DeviceKind,
  DeviceMemory,
  Launch,
  NumericArray,
} from './devices/device.ts';
export { ReferenceDevice } from './devices/reference/device.ts';
export { type AdapterDescription, describeAdapter, requestAdapter } from './devices/webgpu/adapter.ts';
export { requestWebGpuDevice, WebGpuDevice } from './devices/webgpu/device.ts';
// What runs many trainings
export * from './experiments/index.ts';
export * from './io/index.ts';
export type { AnyKernel, ElementType, KernelDefinition } from './kernels/contract.ts';
export { kernels } from './kernels/index.ts';
// Models and their training
export * from './nn/index.ts';
export * from './ops/index.ts';
export * from './optim/index.ts';
export * from './regularizers/index.ts';
// Tensors and their memory
export {
  type CreateOptions,
  empty,
  full,
  getDefaultDevice,
  memory,
  ones,
  setDefaultDevice,
  type TensorData,
  tensor,
  uniform,
  zeros,
} from './tensor/create.ts';
export { initDevice } from './tensor/init.ts';
export { type LaunchObserver, observeLaunches } from './tensor/launch.ts';
export { Random } from './tensor/random.ts';
export { keep, scope } from './tensor/scope.ts';
export type { Shape } from './tensor/shape.ts';
export { Tensor } from './tensor/tensor.ts';
export * from './train/index.ts';
