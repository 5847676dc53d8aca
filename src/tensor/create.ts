/** Making tensors. Each takes `{ device }`, else the default device. */
import type { Device, DeviceMemory, NumericArray } from '../devices/device.ts';
import type { ElementType } from '../kernels/contract.ts';
import { fill } from '../kernels/copy.ts';
import { randomUniform } from '../kernels/random.ts';
import { launch } from './launch.ts';
import { type Shape, sameShape, shapeText, sizeOf } from './shape.ts';
import { Storage, storageCounts } from './storage.ts';
import { Tensor } from './tensor.ts';

let defaultDevice: Device | null = null;

/** Every tensor made without an explicit device lives here from now on. */
export function setDefaultDevice(device: Device): void {
  defaultDevice = device;
}

export function getDefaultDevice(): Device {
  if (!defaultDevice)
    throw new Error('no device yet: call `await initDevice()` (or setDefaultDevice) before making tensors');
  return defaultDevice;
}

export interface CreateOptions {
  readonly device?: Device | undefined;
  /** Makes it a leaf that collects its gradient. */
  readonly requiresGrad?: boolean;
}

/** A tensor with undefined contents, for a kernel to write. */
export function empty(shape: Shape, dtype: ElementType = 'f32', device: Device = getDefaultDevice()): Tensor {
  if (!shape.every((extent) => Number.isInteger(extent) && extent >= 0))
    throw new RangeError(`${shapeText(shape)} is not a shape`);
  return new Tensor(shape, dtype, Storage.allocate(device, dtype, sizeOf(shape)));
}

type Nested = number | readonly Nested[];
export type TensorData = Nested | NumericArray;

/**
 * A tensor from nested lists, or from a flat array with `shape`. int32 arrays become `i32`, all else `f32` unless `dtype`
 * says otherwise. Throws when rows differ in length, or the number of elements does not fit the shape.
 */
export function tensor(data: TensorData, options: CreateOptions & { shape?: Shape; dtype?: ElementType } = {}): Tensor {
  const isTyped = ArrayBuffer.isView(data);
  const natural = isTyped ? [data.length] : nestedShape(data);
  const flat = isTyped ? data : flattened(data);
  const shape = options.shape ?? natural;
  if (sizeOf(shape) !== flat.length)
    throw new RangeError(`tensor: ${flat.length} elements do not fit the shape ${shapeText(shape)}`);
  const dtype = options.dtype ?? (data instanceof Int32Array ? 'i32' : 'f32');
  if (dtype === 'i32' && options.requiresGrad) throw new TypeError('tensor: int32 values have no gradient');
  const result = empty(shape, dtype, options.device);
  result.device.upload(result.storage.buffer, flat);
  result.requiresGrad = options.requiresGrad ?? false;
  return result;
}

function nestedShape(data: Nested): number[] {
  if (typeof data === 'number') return [];
  const inner = data.map(nestedShape);
  const first = inner[0] ?? [];
  const odd = inner.find((shape) => !sameShape(shape, first));
  if (odd) throw new RangeError(`tensor: rows of different shapes, ${shapeText(first)} and ${shapeText(odd)}`);
  return [data.length, ...first];
}

const flattened = (data: Nested): number[] => (typeof data === 'number' ? [data] : data.flatMap(flattened));

export function full(shape: Shape, value: number, options: CreateOptions = {}): Tensor {
  const result = empty(shape, 'f32', options.device);
  launch(fill, {}, { count: result.size, value }, { out: result });
  result.requiresGrad = options.requiresGrad ?? false;
  return result;
}

export const zeros = (shape: Shape, options: CreateOptions = {}): Tensor => full(shape, 0, options);
export const ones = (shape: Shape, options: CreateOptions = {}): Tensor => full(shape, 1, options);

function needWord(what: string, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 32)
    throw new RangeError(`uniform: the ${what} is ${value}; it must be a whole number, 0 … 2³² − 1`);
  return value;
}

/** Uniform on [0, 1), drawn on the device: the same (seed, stream) gives the same bits on every device. */
export function uniform(shape: Shape, seed: number, options: CreateOptions & { stream?: number } = {}): Tensor {
  const result = empty(shape, 'f32', options.device);
  const params = { count: result.size, seed: needWord('seed', seed), stream: needWord('stream', options.stream ?? 0) };
  launch(randomUniform, {}, params, { out: result });
  result.requiresGrad = options.requiresGrad ?? false;
  return result;
}

/** Memory held by tensors (views counted once), and what a device holds for them. */
export function memory(device?: Device): { storages: number; bytes: number; device?: DeviceMemory } {
  return device ? { ...storageCounts(), device: device.memory() } : storageCounts();
}
