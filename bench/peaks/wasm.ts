/** The peaks of WebAssembly SIMD on a number of threads. Node only. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import asc from 'assemblyscript/asc';
import { ROOT } from '../root.ts';
import type { Subject } from '../timing.ts';
import type { CopyPeak, Peaks } from './peaks.ts';

const PAGE = 65536;
/** Calls are short, so that the engine can replace the code that it starts with by its optimised code between them. */
const ITERATIONS = 10_000;
/** Two steps of twelve sums of four lanes, a multiplication and an addition each. */
const FLOPS_PER_ITERATION = 2 * 12 * 4 * 2;

async function compile(): Promise<WebAssembly.Module> {
  const source = readFileSync(join(ROOT, 'bench/peaks/peak.as'), 'utf8');
  const options = { optimizeLevel: 3, noAssert: true, runtime: 'stub', importMemory: true, sharedMemory: true };
  const limits = {
    initialMemory: 1,
    maximumMemory: 65536,
    enable: ['simd', 'threads', 'bulk-memory'],
    use: ['abort='],
  };
  const { binary, error, stderr } = await asc.compileString(source, { ...options, ...limits } as never);
  if (error || !binary) throw new Error(`bench/peaks/peak.as does not compile:\n${stderr}`);
  return new WebAssembly.Module(binary as Uint8Array<ArrayBuffer>);
}

export class WasmPeaks implements Peaks {
  readonly description: string;
  readonly flopsPerRepetition: number;
  readonly arithmetic: Subject;
  readonly #workers: readonly Worker[];
  readonly #memory: WebAssembly.Memory;

  private constructor(workers: readonly Worker[], memory: WebAssembly.Memory) {
    this.#workers = workers;
    this.#memory = memory;
    const { length: threads } = workers;
    this.description =
      `WASM SIMD on ${threads} threads: multiplications and additions of f32x4 in registers (no fused operation), ` +
      'and a copy by v128 loads and stores';
    this.flopsPerRepetition = ITERATIONS * FLOPS_PER_ITERATION * threads;
    this.arithmetic = {
      name: 'multiply-add',
      run: (repetitions) => this.#onAll(() => ({ kind: 'multiplyAdd', repetitions, iterations: ITERATIONS })),
    };
  }

  static async open(threads: number): Promise<WasmPeaks> {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    const module = await compile();
    const url = new URL(`file://${join(ROOT, 'bench/peaks/wasmWorker.mjs')}`);
    const workers = Array.from({ length: threads }, () => new Worker(url, { workerData: { module, memory } }));
    for (const worker of workers) worker.unref();
    return new WasmPeaks(workers, memory);
  }

  async copy(bytes: number): Promise<CopyPeak> {
    const threads = this.#workers.length;
    const share = Math.max(64, Math.floor(bytes / 2 / threads / 64) * 64);
    const needed = 2 * threads * share;
    const held = this.#memory.buffer.byteLength;
    if (held < needed) this.#memory.grow(Math.ceil((needed - held) / PAGE));
    const at = (thread: number) => ({ from: 2 * thread * share, to: (2 * thread + 1) * share, bytes: share });
    const run = (repetitions: number) => this.#onAll((thread) => ({ kind: 'copy', repetitions, ...at(thread) }));
    return { subject: { name: 'copy', run }, bytes: needed, close: () => {} };
  }

  close(): void {
    for (const worker of this.#workers) void worker.terminate();
  }

  /** Gives every thread its message and returns the seconds until all have answered. */
  async #onAll(message: (thread: number) => object): Promise<number> {
    const begin = performance.now();
    await Promise.all(
      this.#workers.map(
        (worker, thread) =>
          new Promise<void>((resolve, reject) => {
            worker.ref();
            worker.once('error', reject);
            worker.once('message', () => {
              worker.off('error', reject);
              worker.unref();
              resolve();
            });
            worker.postMessage(message(thread));
          }),
      ),
    );
    return (performance.now() - begin) / 1000;
  }
}
