/**
 * Host-written memory on its way to a buffer. An upload may not write into the buffer while earlier commands still use
 * it, so the data waits here for a copy command. A block is used again when the command that read it has completed.
 */
import type { CpuMemory } from './memory.ts';
import { type CommandStream, isAfter } from './stream.ts';

interface StagingBlock {
  readonly address: number;
  readonly bytes: number;
  /** Serial number of the last command that reads it. */
  busyUntil: number;
}

export class Staging {
  readonly #memory: CpuMemory;
  readonly #stream: CommandStream;
  readonly #blocks: StagingBlock[] = [];

  constructor(memory: CpuMemory, stream: CommandStream) {
    this.#memory = memory;
    this.#stream = stream;
  }

  /** The smallest idle block of at least `bytes`, or a new one. */
  acquire(bytes: number): StagingBlock {
    const completed = this.#stream.completed();
    let found: StagingBlock | undefined;
    for (const block of this.#blocks) {
      if (block.bytes < bytes || isAfter(block.busyUntil, completed)) continue;
      if (found === undefined || block.bytes < found.bytes) found = block;
    }
    if (found === undefined) {
      found = { address: this.#memory.allocateUntouched(bytes), bytes, busyUntil: completed };
      this.#blocks.push(found);
    }
    return found;
  }
}
