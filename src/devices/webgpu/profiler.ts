/** Times dispatches by timestamp queries: a compute pass of its own around each, with a query at either end. */
import { BufferUsage, MAP_MODE_READ } from './constants.ts';

export interface DispatchCost {
  readonly flops: number;
  readonly bytes: number;
}

export interface KernelTiming {
  readonly name: string;
  readonly count: number;
  readonly totalMs: number;
  /** Floating-point operations of all launches, by the kernel's definition. */
  readonly flops: number;
  /** Memory traffic of all launches if each buffer moves once. */
  readonly bytes: number;
}

/** Dispatches between two readings of the query set (WebGPU allows 4096 queries in one). */
const CAPACITY = 1024;
const BYTES_PER_QUERY = 8;

export class Profiler {
  readonly #device: GPUDevice;
  readonly #querySet: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  #dispatches: { name: string; cost: DispatchCost }[] = [];
  readonly #readings: Promise<void>[] = [];
  readonly #timings = new Map<string, { count: number; totalMs: number; flops: number; bytes: number }>();

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#querySet = device.createQuerySet({ label: 'profile', type: 'timestamp', count: 2 * CAPACITY });
    this.#resolved = device.createBuffer({
      label: 'profile',
      size: 2 * CAPACITY * BYTES_PER_QUERY,
      usage: BufferUsage.QUERY_RESOLVE | BufferUsage.COPY_SRC,
    });
  }

  /** True when the batch must be submitted before another dispatch can be timed. */
  get isFull(): boolean {
    return this.#dispatches.length === CAPACITY;
  }

  next(name: string, cost: DispatchCost): GPUComputePassTimestampWrites {
    const index = 2 * this.#dispatches.length;
    this.#dispatches.push({ name, cost });
    return { querySet: this.#querySet, beginningOfPassWriteIndex: index, endOfPassWriteIndex: index + 1 };
  }

  /** Ends a batch: appends the reading of its queries; the returned function is called after it has been submitted. */
  resolve(encoder: GPUCommandEncoder): (() => void) | undefined {
    const dispatches = this.#dispatches;
    if (dispatches.length === 0) return undefined;
    this.#dispatches = [];
    const bytes = 2 * dispatches.length * BYTES_PER_QUERY;
    const staging = this.#device.createBuffer({ size: bytes, usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST });
    encoder.resolveQuerySet(this.#querySet, 0, 2 * dispatches.length, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, staging, 0, bytes);
    return () => {
      const reading = staging.mapAsync(MAP_MODE_READ).then(() => {
        const nanoseconds = new BigUint64Array(staging.getMappedRange());
        dispatches.forEach(({ name, cost }, i) => {
          this.#add(name, cost, Number(nanoseconds[2 * i + 1]! - nanoseconds[2 * i]!) / 1e6);
        });
        staging.destroy();
      });
      reading.catch(() => undefined);
      this.#readings.push(reading);
    };
  }

  /** The timings, longest first, once all batches are done. */
  async finish(): Promise<KernelTiming[]> {
    await Promise.all(this.#readings);
    this.#querySet.destroy();
    this.#resolved.destroy();
    return [...this.#timings].map(([name, sums]) => ({ name, ...sums })).sort((a, b) => b.totalMs - a.totalMs);
  }

  #add(name: string, cost: DispatchCost, durationMs: number): void {
    const sums = this.#timings.get(name) ?? { count: 0, totalMs: 0, flops: 0, bytes: 0 };
    sums.count += 1;
    sums.totalMs += durationMs;
    sums.flops += cost.flops;
    sums.bytes += cost.bytes;
    this.#timings.set(name, sums);
  }
}
