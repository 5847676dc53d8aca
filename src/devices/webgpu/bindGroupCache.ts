/** Bind groups by what they bind: equal steps bind the same buffers, so that nearly all are made in the first step. */
import type { Memory } from './bufferPool.ts';
import type { ProgramState } from './pipelineCache.ts';

export interface Binding {
  readonly memory: Memory;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** Beyond this many the cache starts anew; a training step has some thousands. */
const MAX_ENTRIES = 16_384;

export class BindGroupCache {
  readonly #device: GPUDevice;
  readonly #uniforms: GPUBuffer;
  readonly #groups = new Map<string, GPUBindGroup>();
  readonly #keysOfMemory = new Map<number, Set<string>>();

  constructor(device: GPUDevice, uniforms: GPUBuffer) {
    this.#device = device;
    this.#uniforms = uniforms;
  }

  get(state: ProgramState, bindings: readonly Binding[]): GPUBindGroup {
    let key = `${state.id}`;
    for (const { memory, byteOffset, byteLength } of bindings) key += `,${memory.id}:${byteOffset}:${byteLength}`;
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    if (this.#groups.size >= MAX_ENTRIES) this.#clear();
    const group = this.#create(state, bindings);
    this.#groups.set(key, group);
    for (const { memory } of bindings) {
      const keys = this.#keysOfMemory.get(memory.id);
      if (keys === undefined) this.#keysOfMemory.set(memory.id, new Set([key]));
      else keys.add(key);
    }
    return group;
  }

  /** Drops what binds `memory`, which is about to be destroyed. */
  forget(memory: Memory): void {
    for (const key of this.#keysOfMemory.get(memory.id) ?? []) this.#groups.delete(key);
    this.#keysOfMemory.delete(memory.id);
  }

  #clear(): void {
    this.#groups.clear();
    this.#keysOfMemory.clear();
  }

  #create(state: ProgramState, bindings: readonly Binding[]): GPUBindGroup {
    return this.#device.createBindGroup({
      label: state.name,
      layout: state.bindGroupLayout,
      entries: [
        { binding: 0, resource: { buffer: this.#uniforms, offset: 0, size: state.paramBytes } },
        ...bindings.map(({ memory, byteOffset, byteLength }, i) => ({
          binding: i + 1,
          resource: { buffer: memory.gpu, offset: byteOffset, size: byteLength },
        })),
      ],
    });
  }
}
