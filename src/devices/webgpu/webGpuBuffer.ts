import type { ElementType } from '../../kernels/contract.ts';
import type { DeviceBuffer } from '../device.ts';
import type { Memory } from './bufferPool.ts';

/** A buffer as the rest of the library holds it; its memory goes back to the pool when it is freed. */
export class WebGpuBuffer implements DeviceBuffer {
  readonly type: ElementType;
  readonly length: number;
  readonly owner: object;
  #memory: Memory | undefined;

  constructor(owner: object, type: ElementType, length: number, memory: Memory) {
    this.owner = owner;
    this.type = type;
    this.length = length;
    this.#memory = memory;
  }

  get memory(): Memory {
    if (this.#memory === undefined) throw new Error(`a buffer of ${this.length} elements is used after it was freed`);
    return this.#memory;
  }

  release(): Memory {
    const memory = this.memory;
    this.#memory = undefined;
    return memory;
  }
}
