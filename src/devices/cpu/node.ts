/** The CPU device in Node: worker threads. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { CpuDevice, type CpuDeviceOptions } from './device.ts';
import { type Platform, WORKER_SOURCE } from './threads.ts';

const SOURCE = `${WORKER_SOURCE}
const { parentPort, workerData } = require('node:worker_threads');
run(workerData, (number) => parentPort.postMessage(number));
`;

export const nodePlatform: Platform = {
  cores: availableParallelism(),
  canShareMemory: true,
  startWorker(start, { onSignal, onFailure }) {
    const worker = new Worker(SOURCE, { eval: true, workerData: start, name: `marsgrad cpu ${start.thread}` });
    worker.on('message', onSignal);
    worker.on('error', (error) => onFailure(withPlace(error)));
    worker.on('exit', (code) => onFailure(`exit code ${code}`));
    return {
      terminate: () => void worker.terminate(),
      keepAlive: (isNeeded) => (isNeeded ? worker.ref() : worker.unref()),
    };
  },
};

/** With the innermost line of its stack: of a fault in the module, the function and the byte. */
function withPlace(error: unknown): string {
  const [, place] = /^\s*at (.+)$/m.exec(error instanceof Error ? (error.stack ?? '') : '') ?? [];
  return place === undefined ? String(error) : `${String(error)} at ${place}`;
}

/** A CPU device on `threads` worker threads (all cores by default). */
export function createCpuDevice(options: CpuDeviceOptions = {}): Promise<CpuDevice> {
  return CpuDevice.create(nodePlatform, options);
}
