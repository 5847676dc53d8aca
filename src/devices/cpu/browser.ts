/** The CPU device in a browser: web workers, or the page's own thread where it is not cross-origin isolated. */
import { CpuDevice, type CpuDeviceOptions } from './device.ts';
import { type Platform, WORKER_SOURCE } from './threads.ts';

const SOURCE = `${WORKER_SOURCE}
onmessage = (event) => {
  run(event.data, (number) => postMessage(number));
  close();
};
`;

export const browserPlatform: Platform = {
  cores: globalThis.navigator?.hardwareConcurrency ?? 1,
  canShareMemory: globalThis.crossOriginIsolated === true,
  startWorker(start, { onSignal, onFailure }) {
    const url = URL.createObjectURL(new Blob([SOURCE], { type: 'text/javascript' }));
    const worker = new Worker(url, { name: `marsgrad cpu ${start.thread}` });
    worker.onmessage = (event) => onSignal(event.data as number);
    worker.onerror = (event) => onFailure(event.message || 'an error that the browser does not name');
    worker.postMessage(start);
    return {
      terminate() {
        worker.terminate();
        URL.revokeObjectURL(url);
      },
      keepAlive() {},
    };
  },
};

/** A CPU device on `threads` web workers (all cores by default). */
export function createCpuDevice(options: CpuDeviceOptions = {}): Promise<CpuDevice> {
  return CpuDevice.create(browserPlatform, options);
}
