/**
 * GPU memory by size classes. A training step asks for the same sizes every time, so freed memory is kept and handed out
 * again; within a class always the oldest first, so that equal steps get equal buffers (and their bind groups are found
 * in the cache).
 *
 * What is kept is bounded: live and pooled bytes together stay under 5/4 of the largest live total so far, plus a margin.
 */
import type { DeviceMemory } from '../device.ts';

/** One GPUBuffer and what the engine notes about it. */
export interface Memory {
  readonly id: number;
  readonly gpu: GPUBuffer;
  readonly bytes: number;
  /** The last batch of commands that touches it. */
  batch: number;
}

/** The smallest buffer, and the step of the smallest classes: WebGPU's alignment of storage offsets. */
const MIN_BYTES = 256;
const MARGIN_BYTES = 64 * 1024 * 1024;

/** Eight classes to an octave, so that at most an eighth is wasted. */
export function sizeClass(bytes: number): number {
  const step = Math.max(MIN_BYTES, 2 ** (Math.floor(Math.log2(Math.max(bytes, 1))) - 3));
  return Math.max(MIN_BYTES, Math.ceil(bytes / step) * step);
}

export class BufferPool {
  readonly #maxBytes: number;
  readonly #create: (bytes: number) => GPUBuffer;
  readonly #retire: (memory: Memory) => void;
  readonly #free = new Map<number, Memory[]>();
  /** All that is in free lists, the longest unused first. */
  readonly #idle = new Map<number, Memory>();
  #nextId = 1;
  #liveBuffers = 0;
  #liveBytes = 0;
  #requestedBytes = 0;
  #peakBytes = 0;
  #pooledBytes = 0;

  /** `retire` must destroy the buffer after all commands that were given before. */
  constructor(maxBytes: number, create: (bytes: number) => GPUBuffer, retire: (memory: Memory) => void) {
    this.#maxBytes = maxBytes;
    this.#create = create;
    this.#retire = retire;
  }

  /** `bytes` is at most the largest size of a buffer, which the caller has checked. */
  take(bytes: number): Memory {
    const size = Math.min(sizeClass(bytes), this.#maxBytes);
    let memory = this.#free.get(size)?.shift();
    if (memory === undefined) {
      memory = { id: this.#nextId++, gpu: this.#create(size), bytes: size, batch: 0 };
    } else {
      this.#idle.delete(memory.id);
      this.#pooledBytes -= size;
    }
    this.#liveBuffers += 1;
    this.#liveBytes += size;
    this.#requestedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
    this.#trim();
    return memory;
  }

  /** `bytes` as they were asked for. */
  give(memory: Memory, bytes: number): void {
    this.#liveBuffers -= 1;
    this.#liveBytes -= memory.bytes;
    this.#requestedBytes -= bytes;
    this.#pooledBytes += memory.bytes;
    this.#idle.set(memory.id, memory);
    const list = this.#free.get(memory.bytes);
    if (list === undefined) this.#free.set(memory.bytes, [memory]);
    else list.splice(insertionIndex(list, memory.id), 0, memory);
    this.#trim();
  }

  memory(): DeviceMemory {
    return { liveBuffers: this.#liveBuffers, liveBytes: this.#requestedBytes, pooledBytes: this.#pooledBytes };
  }

  #trim(): void {
    const limit = this.#peakBytes * 1.25 + MARGIN_BYTES;
    for (const memory of this.#idle.values()) {
      if (this.#liveBytes + this.#pooledBytes <= limit) return;
      this.#idle.delete(memory.id);
      const list = this.#free.get(memory.bytes)!;
      list.splice(list.indexOf(memory), 1);
      this.#pooledBytes -= memory.bytes;
      this.#retire(memory);
    }
  }
}

/** Where `id` belongs in a list that ascends by id. */
function insertionIndex(list: readonly Memory[], id: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle]!.id < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
