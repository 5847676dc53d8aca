/** A device that has failed says so to everyone who calls it or waits for it; it never goes on in silence. */
import { expect, it } from 'vitest';
import { describeAdapter, requestAdapter } from '../../../src/devices/webgpu/adapter.ts';
import { requestWebGpuDevice } from '../../../src/devices/webgpu/device.ts';
import { PipelineCache } from '../../../src/devices/webgpu/pipelineCache.ts';
import { defineProgram } from '../../../src/devices/webgpu/programs/program.ts';
import { fill } from '../../../src/kernels/copy.ts';
import { add, all, filled, openBreakable } from './support.ts';

it('a closed device rejects what was waited for and every later call', async () => {
  const { device } = await openBreakable();
  const x = filled(device, 64, 1);
  const pending = device.read(all(x));
  device.close();
  await expect(pending).rejects.toThrow(/was closed/);
  await expect(device.read(all(x))).rejects.toThrow(/was closed/);
  await expect(device.synchronize()).rejects.toThrow(/was closed/);
  await expect(device.profile(() => undefined)).rejects.toThrow(/was closed/);
  expect(() => device.allocate('f32', 1)).toThrow(/was closed/);
  expect(() => device.upload(x, [1])).toThrow(/was closed/);
  expect(() => device.free(x), 'the garbage collector may come later').not.toThrow();
  expect(() => add(device, all(x), all(x))).toThrow(/was closed/);
});

it('a lost device rejects what was waited for and every later call', async () => {
  const { device, inner } = await openBreakable();
  const x = filled(device, 64, 1);
  const out = filled(device, 64, 1);
  add(device, all(x), all(out));
  await device.synchronize();
  for (let i = 0; i < 500; i++) add(device, all(x), all(out));
  const pending = device.read(all(out));
  inner.destroy();
  await expect(pending).rejects.toThrow(/device was lost.*cannot go on/);
  await expect(device.synchronize()).rejects.toThrow(/device was lost/);
  expect(() => add(device, all(x), all(out))).toThrow(/device was lost/);
});

it('a device that is lost while results are on their way says so, and not that a promise was aborted', async () => {
  const { device, inner } = await openBreakable();
  const x = filled(device, 1 << 20, 1);
  const out = filled(device, 1 << 20, 1);
  add(device, all(x), all(out));
  await device.synchronize();
  for (let i = 0; i < 50; i++) add(device, all(x), all(out));
  const reading = device.read(all(out));
  const finishing = device.synchronize();
  const timing = device.profile(() => undefined);
  // By now all has been handed to the GPU, and the results are being mapped.
  await new Promise(setImmediate);
  inner.destroy();
  const outcomes = await Promise.allSettled([reading, finishing, timing]);
  for (const outcome of outcomes) {
    expect(outcome.status).toBe('rejected');
    expect(String((outcome as PromiseRejectedResult).reason)).toMatch(/device was lost/);
  }
});

it('an uncaptured WebGPU error ends the run, with its message and the kernels that ran', async () => {
  const { device, inner } = await openBreakable();
  const x = filled(device, 64, 1);
  const out = filled(device, 64, 1);
  add(device, all(x), all(out));
  await device.synchronize();
  for (let i = 0; i < 100; i++) add(device, all(x), all(out));
  inner.createBuffer({ label: 'a bad buffer', size: 16, usage: 0 });
  await expect(device.synchronize()).rejects.toThrow(
    /GPUValidationError \(kernels on the GPU: accumulate\).*bytes live/s,
  );
  expect(() => device.allocate('f32', 1)).toThrow(/GPUValidationError/);
  device.close();
});

it('a kernel that does not compile is named, with the line', async () => {
  const { device, inner } = await openBreakable();
  const cache = new PipelineCache(inner, device.adapter.limits);
  const source = 'override value_: u32 = 0u;\n@compute @workgroup_size(1)\nfn main() { let x: u32 = 1.5f; }';
  const state = cache.state(defineProgram(fill, { source, workgroups: () => [1, 1, 1] }));
  await expect(cache.pipeline(state, {}, {}).ready).rejects.toThrow(/kernel fill \(\{\}\) does not compile: line 3/);
  device.close();
});

it('a kernel with more buffers than the adapter binds is refused by name', async () => {
  const { device, inner } = await openBreakable();
  const cache = new PipelineCache(inner, { ...device.adapter.limits, maxStorageBuffersPerShaderStage: 0 });
  const program = defineProgram(fill, { source: '', workgroups: () => [1, 1, 1] });
  expect(() => cache.state(program)).toThrow(/fill needs 1 storage buffers.*maxStorageBuffersPerShaderStage is 0/);
  device.close();
});

const adapterLike = (info: Partial<GPUAdapterInfo>) =>
  ({
    info: { vendor: '', architecture: '', device: '', description: '', isFallbackAdapter: false, ...info },
    features: new Set(['timestamp-query']),
    limits: { maxBufferSize: 1024 },
  }) as unknown as GPUAdapter;

const gpuWith = (adapter: GPUAdapter | null) => ({ requestAdapter: async () => adapter }) as unknown as GPU;

it('the null backend, no adapter and no WebGPU are refused with what to do', async () => {
  const nullBackend = gpuWith(adapterLike({ device: 'null-backend' }));
  await expect(requestWebGpuDevice({ gpu: nullBackend })).rejects.toThrow(/null backend.*refused/);
  await expect(requestAdapter({ gpu: gpuWith(null) })).rejects.toThrow(/no adapter.*mesa-vulkan-drivers/);
  await expect(requestWebGpuDevice()).rejects.toThrow(/navigator.gpu is missing.*'webgpu' package/);
});

it('software adapters are recognised', () => {
  const software: Partial<GPUAdapterInfo>[] = [
    { vendor: 'mesa', description: 'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6)' },
    { vendor: 'google', architecture: 'swiftshader' },
    { description: 'SwiftShader Device (Subzero)' },
    { vendor: 'microsoft', device: 'Microsoft Basic Render Driver' },
    { vendor: 'microsoft', architecture: 'warp' },
    { isFallbackAdapter: true },
  ];
  for (const info of software)
    expect(describeAdapter(adapterLike(info)), JSON.stringify(info)).toMatchObject({ isSoftware: true });
  const nvidia = describeAdapter(adapterLike({ vendor: 'NVIDIA', architecture: 'Hopper', description: 'NVIDIA H100' }));
  expect(nvidia).toMatchObject({ isSoftware: false, name: 'NVIDIA H100', vendor: 'nvidia', architecture: 'hopper' });
  expect(describeAdapter(adapterLike({ vendor: 'apple', architecture: 'metal-3' })).name).toBe('apple metal-3');
});
