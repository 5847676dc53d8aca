/**
 * A device that holds back what it is told, so that an auditor can go through it launch by launch and read buffers in between. Nothing above a
 * device can tell the difference: everything but reading is enqueued anyway.
 */

import type {
  BufferRange,
  Device,
  DeviceBuffer,
  DeviceKind,
  DeviceMemory,
  Launch,
  NumericArray,
} from '../../devices/device.ts';
import type { BufferSpecs, ConstantSpecs, ElementType, ParamSpecs } from '../../kernels/contract.ts';

type Command =
  | { readonly kind: 'launch'; readonly launch: Launch }
  /** Anything else, in its turn. */
  | { readonly kind: 'other'; readonly execute: () => void | Promise<void> };

export class LockstepDevice implements Device {
  readonly kind: DeviceKind;
  readonly name: string;
  readonly isSoftware: boolean;
  private readonly inner: Device;
  private held: Command[] | null = null;

  /** Commands pass straight through to `inner` until `hold`. */
  constructor(inner: Device) {
    this.inner = inner;
    this.kind = inner.kind;
    this.name = inner.name;
    this.isSoftware = inner.isSoftware;
  }

  /** From here on commands wait for `next` and `execute`. */
  hold(): void {
    this.held ??= [];
  }

  /** Does what comes before the next launch, and returns it, not yet executed; null, and no longer holding, where there is none. */
  async next(): Promise<Launch | null> {
    const held = this.held ?? [];
    while (held.length > 0) {
      const first = held[0]!;
      if (first.kind === 'launch') return first.launch;
      held.shift();
      await first.execute();
    }
    this.held = null;
    return null;
  }

  /** Executes the launch that `next` returned. */
  execute(): void {
    const first = this.held?.shift();
    if (first?.kind !== 'launch') throw new Error('lockstep: there is no launch to execute');
    this.inner.launch(first.launch);
  }

  /** The contents now, whatever waits. */
  look(range: BufferRange): Promise<NumericArray> {
    return this.inner.read(range);
  }

  private do(execute: () => void | Promise<void>): void {
    if (this.held) this.held.push({ kind: 'other', execute });
    else void execute();
  }

  allocate(type: ElementType, length: number): DeviceBuffer {
    return this.inner.allocate(type, length);
  }

  free(buffer: DeviceBuffer): void {
    this.do(() => this.inner.free(buffer));
  }

  upload(buffer: DeviceBuffer, data: ArrayLike<number>, offset?: number): void {
    const copy = this.held ? Float64Array.from(data) : data;
    this.do(() => this.inner.upload(buffer, copy, offset));
  }

  launch<C extends ConstantSpecs, P extends ParamSpecs, B extends BufferSpecs>(launch: Launch<C, P, B>): void {
    if (this.held) this.held.push({ kind: 'launch', launch: launch as unknown as Launch });
    else this.inner.launch(launch);
  }

  read(range: BufferRange): Promise<NumericArray> {
    if (!this.held) return this.inner.read(range);
    return new Promise((resolve, reject) => this.do(() => this.inner.read(range).then(resolve, reject)));
  }

  synchronize(): Promise<void> {
    if (!this.held) return this.inner.synchronize();
    return new Promise((resolve, reject) => this.do(() => this.inner.synchronize().then(resolve, reject)));
  }

  memory(): DeviceMemory {
    return this.inner.memory();
  }

  close(): void {
    this.held = null;
    this.inner.close();
  }
}
