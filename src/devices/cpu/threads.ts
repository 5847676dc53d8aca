/**
 * Worker threads, as the device needs them: Node's and the browser's differ in how they begin and how they are kept
 * alive.
 */

export interface WorkerStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly thread: number;
}

export interface WorkerHandle {
  terminate(): void;
  /** While true, the process stays alive for this worker's messages (where there is such a notion). */
  keepAlive(isNeeded: boolean): void;
}

export interface WorkerEvents {
  /** The number of a signal that the stream has reached. */
  onSignal(number: number): void;
  /** The worker is gone: it crashed, was killed, or could not start. */
  onFailure(reason: string): void;
}

export interface Platform {
  /** Processor cores that this process may use. */
  readonly cores: number;
  /** False where memory cannot be shared (a page that is not cross-origin isolated): one thread, same bytes. */
  readonly canShareMemory: boolean;
  startWorker(start: WorkerStart, events: WorkerEvents): WorkerHandle;
}

/** Defines `run(start, post)`: the whole program of a worker. It returns at shutdown. */
export const WORKER_SOURCE = `
function run({ module, memory, thread }, post) {
  const instance = new WebAssembly.Instance(module, { env: { memory, signal: (number) => post(number >>> 0) } });
  while (instance.exports.work(thread));
}
`;
