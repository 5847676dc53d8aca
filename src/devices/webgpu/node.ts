/**
 * WebGPU in Node: Dawn, from the optional package `webgpu`. Importing this file also sets what Node does while it waits for a
 * software adapter.
 */
import type { AdapterRequest } from './adapter.ts';
import { requestWebGpuDevice, type WebGpuDevice } from './device.ts';
import { setWhileWaiting, type WhileWaiting } from './waiters.ts';

/**
 * Dawn's GPU object dies when it is garbage collected, and takes the process with it if a device is still in use; it is
 * held for as long as the process lives. It does not keep Node from exiting.
 */
let held: Promise<GPU> | undefined;

/** Dawn rounds timestamps to 65 µs unless told not to, which is more than most kernels take. */
const DAWN_FLAGS = ['disable-dawn-features=timestamp_quantization'];

const LONGEST_NAP_MS = 1;

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

/**
 * While a promise of Dawn is pending, Dawn asks for its result at every turn of Node's event loop and never lets it rest,
 * which takes a core from a software adapter. Naps between the turns give it back (measured on 2 busy cores: kernels ran 1.1
 * to 2.2 times as fast). They begin short, for the sake of short waits.
 */
function napWhileWaiting(): WhileWaiting {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  let isNapping = false;
  return (isWaiting) => {
    if (isNapping) return;
    isNapping = true;
    let napMs = 0.02;
    const nap = () => {
      isNapping = isWaiting();
      if (!isNapping) return;
      Atomics.wait(cell, 0, 0, napMs);
      napMs = Math.min(2 * napMs, LONGEST_NAP_MS);
      setImmediate(nap);
    };
    setImmediate(nap);
  };
}

setWhileWaiting(napWhileWaiting);

/** As `requestWebGpuDevice`, with Dawn as the source of WebGPU. */
export async function requestNodeWebGpuDevice(request: Omit<AdapterRequest, 'gpu'> = {}): Promise<WebGpuDevice> {
  return requestWebGpuDevice({ ...request, gpu: await nodeGpu() });
}
