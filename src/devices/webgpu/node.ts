/** WebGPU in Node: Dawn, from the optional package `webgpu`. */
import type { AdapterRequest } from './adapter.ts';
import { requestWebGpuDevice, type WebGpuDevice } from './device.ts';

/**
 * Dawn's GPU object dies when it is garbage collected, and takes the process with it if a device is still in use; it is
 * held for as long as the process lives. It does not keep Node from exiting.
 */
let held: Promise<GPU> | undefined;

/** Dawn rounds timestamps to 65 µs unless told not to, which is more than most kernels take. */
const DAWN_FLAGS = ['disable-dawn-features=timestamp_quantization'];

/** Rejects, naming the command that installs it, when the package `webgpu` is missing or does not load. */
export function nodeGpu(): Promise<GPU> {
  held ??= import('webgpu').then(
    ({ create }) => create(DAWN_FLAGS),
    (cause: Error) => {
      held = undefined;
      throw new Error(
        `WebGPU in Node needs the optional package 'webgpu' (Dawn): npm install webgpu. It did not load: ${cause.message}`,
        { cause },
      );
    },
  );
  return held;
}

/** As `requestWebGpuDevice`, with Dawn as the source of WebGPU. */
export async function requestNodeWebGpuDevice(request: Omit<AdapterRequest, 'gpu'> = {}): Promise<WebGpuDevice> {
  return requestWebGpuDevice({ ...request, gpu: await nodeGpu() });
}
