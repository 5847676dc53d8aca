/** The host's end of the command stream: records in shared memory, linked in the order in which they run. */
import {
  COMPLETED,
  CURRENT,
  FIRST_RECORD,
  IDLE,
  RECORD_NEXT,
  RECORD_OPERATION,
  RECORD_PARAMS,
  RECORD_SERIAL,
  RECORD_TASKS,
} from './layout.ts';
import type { CpuMemory } from './memory.ts';

const BLOCK_BYTES = 65536;

interface Block {
  readonly address: number;
  readonly bytes: number;
  /** Serial number of the last command in it. */
  last: number;
}

const bits = new DataView(new ArrayBuffer(4));

/** The 32 bits of a float32, as the unsigned word that a record holds. */
export function floatBits(value: number): number {
  bits.setFloat32(0, value);
  return bits.getUint32(0);
}

/** Serial numbers wrap at 2³²: whether `a` comes after `b`. */
export const isAfter = (a: number, b: number): boolean => ((a - b) | 0) > 0;

export class CommandStream {
  readonly #memory: CpuMemory;
  readonly #submitted: () => void;
  readonly #blocks: Block[] = [];
  #block: Block;
  #used = 0;
  #lastRecord = FIRST_RECORD;
  #serial = 0;

  /** `submitted` is the engine's export of that name. */
  constructor(memory: CpuMemory, submitted: () => void) {
    this.#memory = memory;
    this.#submitted = submitted;
    const { u32 } = memory;
    u32[CURRENT >>> 2] = FIRST_RECORD;
    Atomics.store(u32, IDLE >>> 2, 1);
    this.#block = { address: memory.allocateUntouched(BLOCK_BYTES), bytes: BLOCK_BYTES, last: 0 };
  }

  /** Serial number of the last command given. */
  get serial(): number {
    return this.#serial;
  }

  get isIdle(): boolean {
    return !isAfter(this.#serial, this.completed());
  }

  /** Serial number of the last completed command. */
  completed(): number {
    return Atomics.load(this.#memory.u32, COMPLETED >>> 2);
  }

  /** Appends a command of `tasks` ≥ 1 tasks whose parameters are 32-bit words, and returns its serial number. */
  submit(operation: number, tasks: number, words: readonly number[]): number {
    const bytes = RECORD_PARAMS + 4 * words.length;
    if (this.#used + bytes > this.#block.bytes) this.#nextBlock(bytes);
    const record = this.#block.address + this.#used;
    this.#used += Math.ceil(bytes / 16) * 16;
    this.#serial = (this.#serial + 1) >>> 0;
    this.#block.last = this.#serial;
    const { u32 } = this.#memory;
    const at = record >>> 2;
    u32[at + RECORD_NEXT / 4] = 0;
    u32[at + RECORD_OPERATION / 4] = operation;
    u32[at + RECORD_TASKS / 4] = tasks;
    u32[at + RECORD_SERIAL / 4] = this.#serial;
    for (let i = 0; i < words.length; i++) u32[at + RECORD_PARAMS / 4 + i] = words[i]!;
    Atomics.store(u32, (this.#lastRecord + RECORD_NEXT) >>> 2, record);
    this.#lastRecord = record;
    this.#submitted();
    return this.#serial;
  }

  /**
   * A block is used again once the command after its last has completed: until then a thread may read its last record.
   */
  #nextBlock(bytes: number): void {
    this.#blocks.push(this.#block);
    const oldest = this.#blocks[0]!;
    this.#used = 0;
    if (bytes <= oldest.bytes && isAfter(this.completed(), oldest.last)) {
      this.#block = this.#blocks.shift()!;
      return;
    }
    const size = Math.max(BLOCK_BYTES, bytes);
    this.#block = { address: this.#memory.allocateUntouched(size), bytes: size, last: this.#serial };
  }
}
