/**
 * Launch lists. What a computation launches depends on shapes alone, not on the device nor on values, so it can be recorded
 * without computing anything and replayed on any device: one pass of a convolution, or a whole training step.
 */
import type { BufferRange, Device, DeviceBuffer, DeviceMemory, Launch } from '../src/devices/device.ts';
import { type AnyKernel, type ElementType, type KernelDefinition, launchBytes } from '../src/kernels/contract.ts';
import { observeLaunches } from '../src/tensor/launch.ts';
import { scope } from '../src/tensor/scope.ts';

/** A range of the buffer with index `buffer` in the plan's list. */
interface PlannedRange {
  readonly buffer: number;
  readonly offset: number;
  readonly length: number;
}

export interface PlannedLaunch {
  readonly kernel: AnyKernel;
  readonly constants: Launch['constants'];
  readonly params: Launch['params'];
  readonly buffers: Readonly<Record<string, PlannedRange>>;
  /** By the kernel's definition. */
  readonly flops: number;
  /** If each buffer moves once. */
  readonly bytes: number;
}

interface PlannedBuffer {
  readonly type: ElementType;
  readonly length: number;
  /** Its contents come from outside: the plan reads it before it writes it. */
  readonly isInput: boolean;
  /** The last launch that touches it. */
  last: number;
}

export interface Plan {
  readonly launches: readonly PlannedLaunch[];
  readonly buffers: readonly PlannedBuffer[];
}

/** Accepts everything and computes nothing: for recording. */
export class RecordingDevice implements Device {
  readonly kind = 'reference';
  readonly name = 'recording';
  readonly isSoftware = true;
  allocate(type: ElementType, length: number): DeviceBuffer {
    return { type, length };
  }
  free(): void {}
  upload(): void {}
  launch(): void {}
  async read(range: BufferRange) {
    return new Float32Array(range.length);
  }
  async synchronize(): Promise<void> {}
  memory(): DeviceMemory {
    return { liveBuffers: 0, liveBytes: 0, pooledBytes: 0 };
  }
  close(): void {}
}

/** Numbers buffers in the order in which launches touch them. */
class PlanBuilder {
  readonly launches: PlannedLaunch[] = [];
  readonly buffers: PlannedBuffer[] = [];
  readonly #indices = new Map<unknown, number>();

  /** `ranges` tells buffers apart by `key`. */
  add(launch: Omit<PlannedLaunch, 'buffers'>, ranges: Record<string, UnplannedRange>): void {
    const planned: Record<string, PlannedRange> = {};
    for (const [name, { access }] of Object.entries((launch.kernel as KernelDefinition).buffers)) {
      const { key, type, capacity, offset, length } = ranges[name]!;
      let index = this.#indices.get(key);
      if (index === undefined) {
        index = this.buffers.length;
        this.#indices.set(key, index);
        const isInput = access !== 'write' || length < capacity;
        this.buffers.push({ type, length: capacity, isInput, last: 0 });
      }
      this.buffers[index]!.last = this.launches.length;
      planned[name] = { buffer: index, offset, length };
    }
    this.launches.push({ ...launch, buffers: planned });
  }
}

interface UnplannedRange {
  readonly key: unknown;
  readonly type: ElementType;
  /** Elements of the whole buffer. */
  readonly capacity: number;
  readonly offset: number;
  readonly length: number;
}

const mapValues = <A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]));

/** The launches of `body`, which makes its tensors on a `RecordingDevice`. */
export function recordPlan(body: () => void): Plan {
  const builder = new PlanBuilder();
  const stop = observeLaunches(({ kernel, constants, params, buffers }) => {
    const flops = kernel.flops(params, constants);
    const bytes = launchBytes(kernel, params as never, constants as never);
    const ranges = mapValues(buffers, ({ buffer, offset, length }) => ({
      key: buffer,
      type: buffer.type,
      capacity: buffer.length,
      offset,
      length,
    }));
    builder.add({ kernel, constants, params, flops, bytes }, ranges);
  });
  try {
    scope(body);
  } finally {
    stop();
  }
  return builder;
}

/** The launches for which `wanted` holds, in their order; what the others wrote becomes input. */
export function choose(plan: Plan, wanted: (launch: PlannedLaunch) => boolean): Plan {
  const builder = new PlanBuilder();
  for (const { buffers, ...launch } of plan.launches.filter(wanted)) {
    const ranges = mapValues(buffers, ({ buffer, offset, length }) => {
      const { type, length: capacity } = plan.buffers[buffer]!;
      return { key: buffer, type, capacity, offset, length };
    });
    builder.add(launch, ranges);
  }
  return builder;
}

export const totalFlops = ({ launches }: Plan): number => launches.reduce((sum, { flops }) => sum + flops, 0);
export const totalBytes = ({ launches }: Plan): number => launches.reduce((sum, { bytes }) => sum + bytes, 0);

/** A plan on a device: inputs are allocated once, everything else from its first launch to its last, as in the real thing. */
export class Replay {
  readonly #device: Device;
  readonly #plan: Plan;
  readonly #buffers: (DeviceBuffer | undefined)[];

  constructor(device: Device, plan: Plan) {
    this.#device = device;
    this.#plan = plan;
    this.#buffers = plan.buffers.map((planned) => {
      if (!planned.isInput) return undefined;
      const buffer = device.allocate(planned.type, planned.length);
      device.upload(buffer, planned.type === 'f32' ? someValues(planned.length) : new Int32Array(planned.length));
      return buffer;
    });
  }

  run(): void {
    for (let i = 0; i < this.#plan.launches.length; i++) this.launch(i);
  }

  /** The i-th launch, after all before it. */
  launch(i: number): void {
    const { kernel, constants, params, buffers } = this.#plan.launches[i]!;
    const ranges: Record<string, BufferRange> = {};
    for (const [name, { buffer: index, offset, length }] of Object.entries(buffers)) {
      const planned = this.#plan.buffers[index]!;
      this.#buffers[index] ??= this.#device.allocate(planned.type, planned.length);
      ranges[name] = { buffer: this.#buffers[index], offset, length };
    }
    this.#device.launch({ kernel, constants, params, buffers: ranges });
    for (const { buffer: index } of Object.values(buffers)) {
      const planned = this.#plan.buffers[index]!;
      if (!planned.isInput && planned.last === i && this.#buffers[index]) this.#release(index);
    }
  }

  close(): void {
    for (const index of this.#buffers.keys()) if (this.#buffers[index]) this.#release(index);
  }

  #release(index: number): void {
    this.#device.free(this.#buffers[index]!);
    this.#buffers[index] = undefined;
  }
}

/**
 * Float32 values in ±[0.25, 1): no zeros, no denormals (which some processors treat slowly). Negative every third time, so that
 * maxima and ReLU have something to decide; variances are among the inputs, and a negative one makes NaN, at the same speed.
 */
function someValues(length: number): Float32Array {
  const values = new Float32Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const magnitude = 0.25 + (0.75 * state) / 2 ** 32;
    values[i] = i % 3 === 2 ? -magnitude : magnitude;
  }
  return values;
}
