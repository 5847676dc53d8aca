/** Runs one launch on a CPU device and, in float64, through the kernel's own reference. */
import type { CpuDevice } from '../../../src/devices/cpu/device.ts';
import type { DeviceBuffer, NumericArray } from '../../../src/devices/device.ts';
import type { AnyKernel, BufferSpecs } from '../../../src/kernels/contract.ts';

export type Numbers = Readonly<Record<string, ArrayLike<number>>>;
export type Params = Readonly<Record<string, number | readonly number[]>>;
export type Constants = Readonly<Record<string, string | boolean>>;

/** Contents of every buffer after the launch, given those before it (zeros, 1 element more than needed, where none are given). */
export async function run(
  device: CpuDevice,
  kernel: AnyKernel,
  params: Params,
  constants: Constants,
  inputs: Numbers,
): Promise<Record<string, NumericArray>> {
  const sizes = kernel.sizes(params, constants) as Record<string, number>;
  const buffers: Record<string, DeviceBuffer> = {};
  const ranges: Record<string, { buffer: DeviceBuffer; offset: number; length: number }> = {};
  for (const [name, spec] of Object.entries(kernel.buffers as BufferSpecs)) {
    const length = sizes[name]! + 1;
    const buffer = device.allocate(spec.type, length);
    const data = new Float64Array(length).fill(7);
    data.set(Array.from(inputs[name] ?? []).slice(0, sizes[name]!));
    device.upload(buffer, data);
    buffers[name] = buffer;
    ranges[name] = { buffer, offset: 0, length };
  }
  device.launch({ kernel, params: params as never, constants: constants as never, buffers: ranges as never });
  const results: Record<string, NumericArray> = {};
  for (const [name, spec] of Object.entries(kernel.buffers as BufferSpecs)) {
    if (spec.access !== 'read') results[name] = await device.read(ranges[name]!);
  }
  for (const buffer of Object.values(buffers)) device.free(buffer);
  return results;
}

/** The same through the reference, on inputs rounded as the device sees them. */
export function reference(
  kernel: AnyKernel,
  params: Params,
  constants: Constants,
  inputs: Numbers,
): Record<string, NumericArray> {
  const sizes = kernel.sizes(params, constants) as Record<string, number>;
  const buffers: Record<string, NumericArray> = {};
  const results: Record<string, NumericArray> = {};
  for (const [name, spec] of Object.entries(kernel.buffers as BufferSpecs)) {
    const length = sizes[name]! + 1;
    const data = spec.type === 'i32' ? new Int32Array(length) : new Float64Array(length);
    data.fill(7);
    Array.from(inputs[name] ?? [])
      .slice(0, sizes[name]!)
      .forEach((value, i) => {
        data[i] = Math.fround(value);
      });
    buffers[name] = data;
    if (spec.access !== 'read') results[name] = data;
  }
  const f32Params = Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      kernel.params[name] === 'f32' ? Math.fround(value as number) : value,
    ]),
  );
  kernel.reference(buffers, f32Params, constants);
  return results;
}

/** ‖got − wanted‖ / ‖wanted‖. */
export function relativeError(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < wanted.length; i++) {
    if (Object.is(got[i], wanted[i]) || (Number.isNaN(got[i]) && Number.isNaN(wanted[i]))) continue;
    difference += (got[i]! - wanted[i]!) ** 2;
  }
  for (let i = 0; i < wanted.length; i++) if (Number.isFinite(wanted[i])) norm += wanted[i]! ** 2;
  return difference === 0 ? 0 : Math.sqrt(difference) / Math.max(Math.sqrt(norm), 1e-30);
}

/** A seeded generator of numbers in −1 … 1. */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
}
