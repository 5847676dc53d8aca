/** Launches that the engine's tests are made of, and a device whose inner GPUDevice a test can break. */
import type { BufferRange, Device, DeviceBuffer } from '../../../src/devices/device.ts';
import { describeAdapter, type Limits, openDevice, requestAdapter } from '../../../src/devices/webgpu/adapter.ts';
import { WebGpuDevice } from '../../../src/devices/webgpu/device.ts';
import { nodeGpu } from '../../../src/devices/webgpu/node.ts';
import { stridedCopy } from '../../../src/kernels/copy.ts';
import { accumulate, unary } from '../../../src/kernels/elementwise.ts';

export function all(buffer: DeviceBuffer): BufferRange {
  return { buffer, offset: 0, length: buffer.length };
}

export function filled(device: Device, length: number, value: number): DeviceBuffer {
  const buffer = device.allocate('f32', length);
  device.upload(buffer, new Float32Array(length).fill(value));
  return buffer;
}

/** out += x */
export function add(device: Device, x: BufferRange, out: BufferRange): void {
  device.launch({ kernel: accumulate, constants: {}, params: { count: out.length }, buffers: { x, out } });
}

/** out = alpha·x + beta */
export function affine(device: Device, x: BufferRange, out: BufferRange, alpha: number, beta: number): void {
  const params = { count: out.length, alpha, beta };
  device.launch({ kernel: unary, constants: { operator: 'affine' }, params, buffers: { x, out } });
}

/** out ← x */
export function copy(device: Device, x: BufferRange, out: BufferRange): void {
  const one = [1, 0, 0, 0, 0, 0, 0, 0];
  const shape = [out.length, 0, 0, 0, 0, 0, 0, 0];
  const params = { count: out.length, rank: 1, xOffset: 0, outOffset: 0, shape, xStrides: one, outStrides: one };
  device.launch({ kernel: stridedCopy, constants: {}, params, buffers: { x, out } });
}

/** A device that believes in `limits`, and the GPUDevice inside it. */
export async function openBreakable(limits: Partial<Limits> = {}): Promise<{ device: WebGpuDevice; inner: GPUDevice }> {
  const { gpu, adapter } = await requestAdapter({ gpu: await nodeGpu() });
  const inner = await openDevice(adapter);
  const description = describeAdapter(adapter);
  const device = new WebGpuDevice(gpu, inner, { ...description, limits: { ...description.limits, ...limits } });
  return { device, inner };
}
