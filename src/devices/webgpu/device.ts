/**
 * The WebGPU device: the contract's kernels as WGSL, on whatever adapter WebGPU offers.
 *
 *   launch ─ checks, packs parameters, finds pipeline and bind group ─▶ CommandQueue ─▶ GPU
 *   allocate / free ─▶ BufferPool          read ─▶ copy to a mappable buffer, then map it
 *
 * After a failure (an uncaptured WebGPU error, a lost device, a kernel that does not compile) every call throws, and every
 * promise that is waited for rejects, with the first error.
 */
import {
  type BufferSpecs,
  type ConstantSpecs,
  type ElementType,
  launchBytes,
  type ParamSpecs,
  packParams,
} from '../../kernels/contract.ts';
import {
  ALIGNMENT,
  type BufferRange,
  checkLaunch,
  type Device,
  type DeviceBuffer,
  type DeviceMemory,
  type Launch,
  type NumericArray,
} from '../device.ts';
import {
  type AdapterDescription,
  type AdapterRequest,
  describeAdapter,
  openDevice,
  requestAdapter,
} from './adapter.ts';
import { BindGroupCache } from './bindGroupCache.ts';
import { type BindingServices, bindRanges, type NamedRange } from './bindings.ts';
import { BufferPool, type Memory } from './bufferPool.ts';
import { CommandQueue } from './commandQueue.ts';
import { BufferUsage, MAP_MODE_READ } from './constants.ts';
import { PipelineCache } from './pipelineCache.ts';
import { type KernelTiming, Profiler } from './profiler.ts';
import type { DeviceTraits, Grid, Overrides, Program } from './programs/program.ts';
import { programs } from './programs.ts';
import { Waiters } from './waiters.ts';
import { WebGpuBuffer } from './webGpuBuffer.ts';

const BYTES = 4;
const NO_OVERRIDES: Overrides = Object.freeze({});

/**
 * Opens the WebGPU device. In Node, use `requestNodeWebGpuDevice`, which takes WebGPU from the package `webgpu`.
 * Rejects when there is no WebGPU or no adapter, and refuses Dawn's null backend.
 */
export async function requestWebGpuDevice(request: AdapterRequest = {}): Promise<WebGpuDevice> {
  const { gpu, adapter } = await requestAdapter(request);
  return new WebGpuDevice(gpu, await openDevice(adapter), describeAdapter(adapter));
}

export class WebGpuDevice implements Device {
  readonly kind = 'webgpu';
  readonly name: string;
  readonly isSoftware: boolean;
  readonly adapter: AdapterDescription;
  /** Held because Dawn's devices do not outlive it. */
  readonly gpu: GPU;

  readonly #device: GPUDevice;
  readonly #traits: DeviceTraits;
  readonly #waiters: Waiters;
  readonly #queue: CommandQueue;
  readonly #pipelines: PipelineCache;
  readonly #bindGroups: BindGroupCache;
  readonly #pool: BufferPool;
  readonly #staging: BufferPool;
  readonly #placeholders: Memory[] = [];

  constructor(gpu: GPU, device: GPUDevice, adapter: AdapterDescription) {
    const { limits, isSoftware, vendor, architecture } = adapter;
    const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = limits;
    this.gpu = gpu;
    this.adapter = adapter;
    this.name = adapter.name;
    this.isSoftware = isSoftware;
    this.#device = device;
    this.#waiters = new Waiters(isSoftware);
    this.#traits = {
      isSoftware,
      vendor,
      architecture,
      maxComputeInvocationsPerWorkgroup,
      maxComputeWorkgroupStorageSize,
    };
    this.#watch();
    this.#queue = new CommandQueue(device, (error) => this.#fail(error));
    this.#pipelines = new PipelineCache(device, limits);
    this.#bindGroups = new BindGroupCache(device, this.#queue.uniforms);
    const storage = BufferUsage.STORAGE | BufferUsage.COPY_SRC | BufferUsage.COPY_DST;
    this.#pool = new BufferPool(
      limits.maxBufferSize,
      (size) => device.createBuffer({ size, usage: storage }),
      (memory) => {
        this.#bindGroups.forget(memory);
        this.#queue.push({ kind: 'destroy', buffer: memory.gpu });
      },
    );
    this.#staging = new BufferPool(
      limits.maxBufferSize,
      (size) => device.createBuffer({ label: 'read', size, usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST }),
      (memory) => memory.gpu.destroy(),
    );
  }

  /** Pipelines compiled or being compiled; a steady state compiles none. */
  get pipelineCount(): number {
    return this.#pipelines.size;
  }

  /** @throws when the buffer would be larger than the adapter's `maxBufferSize`. */
  allocate(type: ElementType, length: number): WebGpuBuffer {
    this.#assertUsable();
    if (!Number.isInteger(length) || length < 0) throw new RangeError(`a buffer cannot have ${length} elements`);
    this.#checkLimit('maxBufferSize', length * BYTES, `a buffer of ${length} elements`);
    return new WebGpuBuffer(this, type, length, this.#pool.take(length * BYTES));
  }

  free(buffer: DeviceBuffer): void {
    if (this.#waiters.failure !== undefined) return;
    const own = this.#own(buffer);
    this.#pool.give(own.release(), own.length * BYTES);
  }

  upload(buffer: DeviceBuffer, data: ArrayLike<number>, offset = 0): void {
    this.#assertUsable();
    const to = this.#own(buffer);
    if (offset % ALIGNMENT !== 0) throw new RangeError(`upload at element ${offset}, not a multiple of ${ALIGNMENT}`);
    if (offset + data.length > to.length) {
      throw new RangeError(`upload of ${data.length} elements at ${offset} into a buffer of ${to.length}`);
    }
    if (data.length === 0) return;
    const copy = to.type === 'f32' ? Float32Array.from(data) : Int32Array.from(data);
    const bytes = new Uint8Array(copy.buffer);
    this.#queue.push({ kind: 'upload', to: to.memory, byteOffset: offset * BYTES, bytes });
  }

  launch<C extends ConstantSpecs, P extends ParamSpecs, B extends BufferSpecs>(launch: Launch<C, P, B>): void {
    this.#assertUsable();
    const erased = launch as unknown as Launch;
    checkLaunch(erased);
    const { kernel, constants, params } = erased;
    const program = programs.get(kernel.name);
    if (program === undefined) {
      throw new Error(`kernel ${kernel.name} has no WGSL program: the webgpu device cannot run it`);
    }
    const overrides = program.overrides?.(params, constants, this.#traits) ?? NO_OVERRIDES;
    const grid = program.workgroups(params, constants, overrides);
    if (grid.includes(0)) return;
    for (const count of grid) {
      this.#checkLimit('maxComputeWorkgroupsPerDimension', count, `${kernel.name}: a grid of ${grid.join('×')}`);
    }
    this.#record(erased, program, overrides, grid);
  }

  async read(range: BufferRange): Promise<NumericArray> {
    this.#assertUsable();
    const from = this.#own(range.buffer);
    if (range.offset + range.length > from.length) {
      throw new RangeError(`read of ${range.length} elements at ${range.offset} from a buffer of ${from.length}`);
    }
    const ArrayType = from.type === 'f32' ? Float32Array : Int32Array;
    const byteLength = range.length * BYTES;
    if (byteLength === 0) return new ArrayType(0);
    const to = this.#staging.take(byteLength);
    this.#queue.push({ kind: 'copy', from: from.memory, fromOffset: range.offset * BYTES, to, byteLength });
    await this.#submitted();
    await this.#waiters.guard(to.gpu.mapAsync(MAP_MODE_READ, 0, byteLength));
    const values = new ArrayType(to.gpu.getMappedRange(0, byteLength).slice(0));
    to.gpu.unmap();
    this.#staging.give(to, byteLength);
    return values;
  }

  async synchronize(): Promise<void> {
    this.#assertUsable();
    await this.#submitted();
    await this.#waiters.guard(this.#device.queue.onSubmittedWorkDone());
  }

  memory(): DeviceMemory {
    return this.#pool.memory();
  }

  /**
   * Runs `work` and times every dispatch in it: per kernel, the launches, their time on the GPU, and what their definitions
   * say of FLOPs and bytes. Dispatches run one by one meanwhile, so the sum is more than the time they take unobserved.
   * Rejects where the adapter has no `timestamp-query`.
   */
  async profile(work: () => void | Promise<void>): Promise<KernelTiming[]> {
    this.#assertUsable();
    if (!this.#device.features.has('timestamp-query')) {
      throw new Error(`${this.name} has no feature 'timestamp-query': its kernels cannot be timed`);
    }
    if (this.#queue.profiler !== undefined) throw new Error('the device is being profiled already');
    await this.synchronize();
    const profiler = new Profiler(this.#device);
    this.#queue.profiler = profiler;
    try {
      await work();
      await this.synchronize();
      return await this.#waiters.guard(profiler.finish());
    } finally {
      this.#queue.profiler = undefined;
    }
  }

  close(): void {
    this.#fail(new Error('the webgpu device was closed'));
    this.#device.destroy();
  }

  #record(launch: Launch, program: Program, overrides: Overrides, grid: Grid): void {
    const { kernel, constants, params } = launch;
    const state = this.#pipelines.state(program);
    const ranges = state.buffers.map(([name, spec]): NamedRange => {
      const range = launch.buffers[name]!;
      this.#checkLimit('maxStorageBufferBindingSize', range.length * BYTES, `${kernel.name}: buffer '${name}'`);
      return { name, spec, range, memory: this.#own(range.buffer).memory };
    });
    const packed = new Uint8Array(state.paramBytes);
    packParams(kernel.params, params, new DataView(packed.buffer), 0);
    const pipeline = this.#pipelines.pipeline(state, constants, overrides);
    const scratch: { memory: Memory; byteLength: number }[] = [];
    const bindings = bindRanges(kernel.name, ranges, this.#bindingServices(scratch));
    this.#queue.push({
      kind: 'dispatch',
      label: kernel.name,
      pipeline,
      bindGroup: this.#bindGroups.get(state, bindings),
      memories: bindings.map(({ memory }) => memory),
      params: packed,
      grid,
      cost: this.#queue.profiler && {
        flops: kernel.flops(params, constants),
        bytes: launchBytes(kernel, params as never, constants as never),
      },
    });
    for (const { memory, byteLength } of scratch) this.#pool.give(memory, byteLength);
  }

  #bindingServices(scratch: { memory: Memory; byteLength: number }[]): BindingServices {
    return {
      placeholder: (index) => {
        this.#placeholders[index] ??= this.#createPlaceholder(index);
        return this.#placeholders[index];
      },
      copyToScratch: (from, fromOffset, byteLength) => {
        const to = this.#pool.take(byteLength);
        this.#queue.push({ kind: 'copy', from, fromOffset, to, byteLength });
        scratch.push({ memory: to, byteLength });
        return to;
      },
    };
  }

  #createPlaceholder(index: number): Memory {
    const gpu = this.#device.createBuffer({ label: 'nothing', size: BYTES, usage: BufferUsage.STORAGE });
    return { id: -1 - index, gpu, bytes: BYTES, batch: 0 };
  }

  /** Resolves when all that was enqueued has been handed to the GPU. */
  #submitted(): Promise<void> {
    return this.#waiters.until((resolve) => {
      this.#queue.push({ kind: 'signal', submitted: () => resolve() });
      this.#queue.drain();
    });
  }

  #own(buffer: DeviceBuffer): WebGpuBuffer {
    if (buffer instanceof WebGpuBuffer && buffer.owner === this) return buffer;
    throw new TypeError('the buffer belongs to another device');
  }

  #checkLimit(name: keyof AdapterDescription['limits'], needed: number, what: string): void {
    const have = this.adapter.limits[name];
    if (needed <= have) return;
    throw new RangeError(
      `${what} needs ${name} ≥ ${needed}, and ${this.name} has ${have}: use a smaller batch or model, or the cpu device`,
    );
  }

  #assertUsable(): void {
    if (this.#waiters.failure !== undefined) throw this.#waiters.failure;
  }

  #fail(error: Error): void {
    this.#waiters.fail(error);
    this.#queue.close();
  }

  #watch(): void {
    this.#device.addEventListener('uncapturederror', ({ error }) => {
      const running = this.#queue.kernelsOnGpu;
      const kernels = running.length > 0 ? ` (kernels on the GPU: ${running.join(', ')})` : '';
      const { liveBytes, pooledBytes } = this.memory();
      const held = `${this.name} held ${liveBytes} bytes live and ${pooledBytes} pooled`;
      this.#fail(new Error(`WebGPU ${error.constructor.name}${kernels}: ${error.message}; ${held}`));
    });
    this.#device.lost.then(({ reason, message }) => {
      const running = this.#queue.kernelsOnGpu;
      const kernels = running.length > 0 ? `; kernels on the GPU were ${running.join(', ')}` : '';
      this.#fail(new Error(`the GPU device was lost (${reason}): ${message}${kernels}. This run cannot go on.`));
    });
  }
}
