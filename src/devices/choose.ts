/**
 * Which device runs the kernels, and why: a real GPU where there is one, else the CPU device. Software adapters compute on the
 * same processor cores as the CPU device, several times slower, so `auto` passes them over.
 */
import { createCpuDevice } from './cpu/browser.ts';
import type { Device, DeviceKind } from './device.ts';
import { ReferenceDevice } from './reference/device.ts';
import { describeAdapter, openDevice, requestAdapter } from './webgpu/adapter.ts';
import { WebGpuDevice } from './webgpu/device.ts';

export const DEVICE_CHOICES = ['auto', 'webgpu', 'cpu', 'reference'] as const;
export type DeviceChoice = 'auto' | DeviceKind;

export interface DeviceRequest {
  /** Default `auto`. */
  readonly device?: DeviceChoice;
  /** Of the CPU device; default: all cores. The number never changes a result. */
  readonly threads?: number;
  /** Of the WebGPU device, on machines with two GPUs; default `high-performance`. */
  readonly powerPreference?: GPUPowerPreference;
}

export interface ChosenDevice {
  readonly device: Device;
  /** Why this one, as half a sentence for logs: `no GPU: WebGPU found no adapter …`. */
  readonly reason: string;
}

/** Where WebGPU and threads come from. A browser's are the default; importing `node.ts` sets Node's. */
export interface DeviceSources {
  /** Undefined where there is no WebGPU. Rejects, saying why, where it should be there and does not load. */
  findGpu(): Promise<GPU | undefined>;
  createCpuDevice(options: { threads?: number }): Promise<Device>;
}

let sources: DeviceSources = {
  findGpu: async () => globalThis.navigator?.gpu,
  createCpuDevice,
};

export function setDeviceSources(other: DeviceSources): void {
  sources = other;
}

/** Opens the device. Rejects when the one that was asked for by name is not there; `auto` always finds one. */
export async function chooseDevice(request: DeviceRequest = {}): Promise<ChosenDevice> {
  const { device: choice = 'auto' } = request;
  switch (choice) {
    case 'auto':
      return automatic(request);
    case 'webgpu':
      return { device: await openWebGpu(await findAdapter(request)), reason: 'as requested' };
    case 'cpu':
      return { device: await createCpu(request), reason: 'as requested' };
    case 'reference':
      return { device: new ReferenceDevice(), reason: 'as requested' };
    default:
      throw new TypeError(`there is no device '${choice}': choose one of ${DEVICE_CHOICES.join(', ')}`);
  }
}

async function automatic(request: DeviceRequest): Promise<ChosenDevice> {
  const found = await gpuOrWhyNot(request);
  if (typeof found !== 'string') return { device: found, reason: `${found.name} is a GPU` };
  return { device: await createCpu(request), reason: `no GPU: ${found}` };
}

async function gpuOrWhyNot(request: DeviceRequest): Promise<WebGpuDevice | string> {
  try {
    const found = await findAdapter(request);
    const { name, isSoftware } = describeAdapter(found.adapter);
    if (isSoftware) return `WebGPU offers only ${name}, which computes on the processor too, and slower`;
    return await openWebGpu(found);
  } catch (error) {
    return (error as Error).message;
  }
}

const createCpu = ({ threads }: DeviceRequest): Promise<Device> =>
  sources.createCpuDevice(threads === undefined ? {} : { threads });

interface FoundAdapter {
  readonly gpu: GPU;
  readonly adapter: GPUAdapter;
}

async function findAdapter({ powerPreference }: DeviceRequest): Promise<FoundAdapter> {
  const gpu = await sources.findGpu();
  return requestAdapter({ ...(gpu && { gpu }), ...(powerPreference && { powerPreference }) });
}

const openWebGpu = async ({ gpu, adapter }: FoundAdapter): Promise<WebGpuDevice> =>
  new WebGpuDevice(gpu, await openDevice(adapter), describeAdapter(adapter));
