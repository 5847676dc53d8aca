/**
 * Commands in the order in which they were given, and their way to the GPU.
 *
 *   push → [ pending commands ] → drain: encode into a batch → submit → GPU
 *
 * A batch is one command buffer, with as many dispatches to a compute pass as come in a row; the parameters of all its
 * dispatches go up in one write. Draining stops where a pipeline is still being compiled and goes on when it is there, and
 * it stops while enough batches are on the GPU: the caller is never blocked, and what waits in the GPU's queue is bounded.
 */
import type { Memory } from './bufferPool.ts';
import { BufferUsage } from './constants.ts';
import type { PipelineEntry } from './pipelineCache.ts';
import type { DispatchCost, Profiler } from './profiler.ts';
import type { Grid } from './programs/program.ts';

export interface DispatchCommand {
  readonly kind: 'dispatch';
  readonly label: string;
  readonly pipeline: PipelineEntry;
  readonly bindGroup: GPUBindGroup;
  readonly memories: readonly Memory[];
  readonly params: Uint8Array<ArrayBuffer>;
  readonly grid: Grid;
  /** Present while the device is profiled. */
  readonly cost: DispatchCost | undefined;
}

export type Command =
  | DispatchCommand
  | {
      readonly kind: 'upload';
      readonly to: Memory;
      readonly byteOffset: number;
      readonly bytes: Uint8Array<ArrayBuffer>;
    }
  | {
      readonly kind: 'copy';
      readonly from: Memory;
      readonly fromOffset: number;
      readonly to: Memory;
      readonly byteLength: number;
    }
  | { readonly kind: 'destroy'; readonly buffer: GPUBuffer }
  /** Calls `submitted` once everything before it has been handed to the GPU. */
  | { readonly kind: 'signal'; readonly submitted: () => void };

/** Parameters of one batch. */
const UNIFORM_BYTES = 256 * 1024;
/** Enough for the GPU to begin on while the caller goes on recording. */
const DISPATCHES_PER_BATCH = 64;
const MAX_BATCHES_ON_GPU = 8;

export class CommandQueue {
  /** The parameter structs of a batch, in slots; dispatches bind it with a dynamic offset. */
  readonly uniforms: GPUBuffer;
  profiler: Profiler | undefined;

  readonly #device: GPUDevice;
  readonly #slotAlignment: number;
  readonly #fail: (error: Error) => void;
  readonly #uniformBytes = new Uint8Array(UNIFORM_BYTES);

  #commands: Command[] = [];
  #next = 0;
  #pendingDispatches = 0;
  #awaitsPipeline = false;
  #closed = false;
  /** The kernels of each batch that is on the GPU, oldest first. */
  readonly #onGpu: Set<string>[] = [];

  /** The batch being encoded. */
  #batch = 1;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  #boundPipeline: GPUComputePipeline | undefined;
  #uniformBytesUsed = 0;
  #kernels = new Set<string>();
  #dispatches = 0;
  #signals: (() => void)[] = [];

  constructor(device: GPUDevice, fail: (error: Error) => void) {
    this.#device = device;
    this.#fail = fail;
    this.#slotAlignment = device.limits.minUniformBufferOffsetAlignment;
    this.uniforms = device.createBuffer({
      label: 'parameters',
      size: UNIFORM_BYTES,
      usage: BufferUsage.UNIFORM | BufferUsage.COPY_DST,
    });
  }

  /** The kernels that are on the GPU now, for the message when it fails. */
  get kernelsOnGpu(): readonly string[] {
    return [...new Set(this.#onGpu.flatMap((kernels) => [...kernels]))];
  }

  push(command: Command): void {
    this.#commands.push(command);
    if (command.kind === 'dispatch' && ++this.#pendingDispatches >= DISPATCHES_PER_BATCH) this.drain();
  }

  /** Hands pending commands to the GPU, now as far as possible and the rest when it becomes possible. */
  drain(): void {
    if (this.#closed || this.#awaitsPipeline) return;
    try {
      this.#encodePending();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Forgets everything; nothing is submitted any more. */
  close(): void {
    this.#closed = true;
    this.#commands = [];
    this.#next = 0;
    this.#signals = [];
  }

  #encodePending(): void {
    while (this.#next < this.#commands.length && this.#onGpu.length < MAX_BATCHES_ON_GPU) {
      const command = this.#commands[this.#next]!;
      if (command.kind === 'dispatch' && command.pipeline.pipeline === undefined) {
        this.#submit();
        this.#awaitPipeline(command.pipeline);
        return;
      }
      this.#next += 1;
      this.#encode(command);
      if (this.#dispatches >= DISPATCHES_PER_BATCH) this.#submit();
    }
    this.#submit();
    this.#dropEncoded();
  }

  #awaitPipeline(entry: PipelineEntry): void {
    this.#awaitsPipeline = true;
    entry.ready.then(
      () => {
        this.#awaitsPipeline = false;
        this.drain();
      },
      (error: Error) => this.#fail(error),
    );
  }

  /** Keeps the list short without moving it at every batch. */
  #dropEncoded(): void {
    if (this.#next === this.#commands.length) this.#commands = [];
    else if (this.#next > 4096) this.#commands = this.#commands.slice(this.#next);
    else return;
    this.#next = 0;
  }

  #encode(command: Command): void {
    switch (command.kind) {
      case 'dispatch':
        this.#encodeDispatch(command);
        break;
      case 'upload':
        // A write takes effect between submissions; it may go before this batch unless the batch uses the buffer.
        if (command.to.batch === this.#batch) this.#submit();
        this.#device.queue.writeBuffer(command.to.gpu, command.byteOffset, command.bytes);
        break;
      case 'copy':
        this.#endPass();
        command.from.batch = this.#batch;
        command.to.batch = this.#batch;
        this.#open().copyBufferToBuffer(command.from.gpu, command.fromOffset, command.to.gpu, 0, command.byteLength);
        break;
      case 'destroy':
        this.#submit();
        command.buffer.destroy();
        break;
      case 'signal':
        this.#signals.push(command.submitted);
        break;
    }
  }

  #encodeDispatch(command: DispatchCommand): void {
    this.#pendingDispatches -= 1;
    const slot = Math.ceil(this.#uniformBytesUsed / this.#slotAlignment) * this.#slotAlignment;
    if (slot + command.params.byteLength > UNIFORM_BYTES || this.profiler?.isFull) {
      this.#submit();
      this.#writeDispatch(command, 0);
    } else {
      this.#writeDispatch(command, slot);
    }
  }

  #writeDispatch(command: DispatchCommand, slot: number): void {
    this.#uniformBytes.set(command.params, slot);
    this.#uniformBytesUsed = slot + command.params.byteLength;
    for (const memory of command.memories) memory.batch = this.#batch;
    const timestamps = command.cost && this.profiler?.next(command.label, command.cost);
    if (timestamps !== undefined) this.#endPass();
    if (this.#pass === undefined) {
      this.#pass = this.#open().beginComputePass({
        label: command.label,
        ...(timestamps && { timestampWrites: timestamps }),
      });
    }
    const pipeline = command.pipeline.pipeline!;
    if (this.#boundPipeline !== pipeline) this.#pass.setPipeline(pipeline);
    this.#boundPipeline = pipeline;
    this.#pass.setBindGroup(0, command.bindGroup, [slot]);
    this.#pass.dispatchWorkgroups(...command.grid);
    if (timestamps !== undefined) this.#endPass();
    this.#kernels.add(command.label);
    this.#dispatches += 1;
  }

  #open(): GPUCommandEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
    this.#boundPipeline = undefined;
  }

  #submit(): void {
    const signals = this.#signals;
    this.#signals = [];
    if (this.#encoder !== undefined) {
      this.#endPass();
      const resolveTimestamps = this.profiler?.resolve(this.#encoder);
      const { queue } = this.#device;
      if (this.#uniformBytesUsed > 0) {
        queue.writeBuffer(this.uniforms, 0, this.#uniformBytes, 0, Math.ceil(this.#uniformBytesUsed / 4) * 4);
      }
      queue.submit([this.#encoder.finish()]);
      this.#onGpu.push(this.#kernels);
      queue.onSubmittedWorkDone().then(
        () => {
          this.#onGpu.shift();
          this.drain();
        },
        (error: Error) => this.#fail(error),
      );
      resolveTimestamps?.();
      this.#encoder = undefined;
      this.#uniformBytesUsed = 0;
      this.#kernels = new Set();
      this.#dispatches = 0;
      this.#batch += 1;
    }
    for (const submitted of signals) submitted();
  }
}
