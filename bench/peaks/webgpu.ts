/** The peaks of a WebGPU adapter, on a device of its own. */
import { describeAdapter, openDevice, requestAdapter } from '../../src/devices/webgpu/adapter.ts';
import { nodeGpu } from '../../src/devices/webgpu/node.ts';
import { type Subject, timed } from '../timing.ts';
import copySource from './copy.wgsl';
import multiplyAddSource from './multiplyAdd.wgsl';
import type { CopyPeak, Peaks } from './peaks.ts';

const ITERATIONS = 128;
const FLOPS_PER_THREAD = 2 * 16 * 8 * ITERATIONS;
const MULTIPLY_ADD_THREADS = 64;
const COPY_THREADS = 256;
/** Enough for the largest GPUs to hide latency; a software adapter needs less and is slow. */
const WORKGROUPS = { hardware: 16384, software: 64 };
const STORAGE = 0x80;

export class WebGpuPeaks implements Peaks {
  readonly description =
    'WGSL: multiplications and additions of vec4<f32> in registers, and a copy of vec4<f32>; on this adapter';
  readonly flopsPerRepetition: number;
  readonly arithmetic: Subject;
  readonly #device: GPUDevice;
  readonly #maxBytes: number;
  readonly #groups: number;
  readonly #copy: GPUComputePipeline;

  private constructor(
    device: GPUDevice,
    isSoftware: boolean,
    multiplyAdd: GPUComputePipeline,
    copy: GPUComputePipeline,
  ) {
    this.#device = device;
    this.#maxBytes = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
    this.#groups = isSoftware ? WORKGROUPS.software : WORKGROUPS.hardware;
    this.#copy = copy;
    const threads = this.#groups * MULTIPLY_ADD_THREADS;
    this.flopsPerRepetition = threads * FLOPS_PER_THREAD;
    const out = device.createBuffer({ size: 4 * threads, usage: STORAGE });
    this.arithmetic = this.#dispatches('multiply-add', multiplyAdd, [out], this.#groups);
  }

  static async open(): Promise<WebGpuPeaks> {
    const { adapter } = await requestAdapter({ gpu: await nodeGpu() });
    const device = await openDevice(adapter);
    const pipeline = (code: string, constants: Record<string, number>) =>
      device.createComputePipelineAsync({
        layout: 'auto',
        compute: { module: device.createShaderModule({ code }), entryPoint: 'main', constants },
      });
    const multiplyAdd = await pipeline(multiplyAddSource, { iterations: ITERATIONS });
    const copy = await pipeline(copySource, {});
    return new WebGpuPeaks(device, describeAdapter(adapter).isSoftware, multiplyAdd, copy);
  }

  async copy(bytes: number): Promise<CopyPeak> {
    const size = Math.min(this.#maxBytes, Math.max(16, Math.floor(bytes / 2 / 16) * 16));
    const buffers = [0, 1].map(() => this.#device.createBuffer({ size, usage: STORAGE }));
    const groups = Math.min(this.#groups, Math.ceil(size / 16 / COPY_THREADS));
    return {
      subject: this.#dispatches('copy', this.#copy, buffers, groups),
      bytes: 2 * size,
      close: () => {
        for (const buffer of buffers) buffer.destroy();
      },
    };
  }

  close(): void {
    this.#device.destroy();
  }

  #dispatches(name: string, pipeline: GPUComputePipeline, buffers: readonly GPUBuffer[], groups: number): Subject {
    const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    const bindGroup = this.#device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const dispatch = (): void => {
      const encoder = this.#device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(groups);
      pass.end();
      this.#device.queue.submit([encoder.finish()]);
    };
    return timed(name, dispatch, async () => {
      await this.#device.queue.onSubmittedWorkDone();
    });
  }
}
