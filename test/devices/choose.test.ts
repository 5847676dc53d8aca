/** Which device is chosen where, and what is said about it. */
import { afterEach, describe, expect, it } from 'vitest';
import { chooseDevice, type DeviceChoice, setDeviceSources } from '../../src/devices/choose.ts';
import { createCpuDevice } from '../../src/devices/cpu/node.ts';
import type { Device } from '../../src/devices/device.ts';
import { nodeGpu } from '../../src/devices/webgpu/node.ts';
import { getDefaultDevice } from '../../src/tensor/create.ts';
import { initDevice } from '../../src/tensor/init.ts';

const opened: Device[] = [];
const choose = async (device?: DeviceChoice) => {
  const chosen = await chooseDevice(device ? { device, threads: 1 } : { threads: 1 });
  opened.push(chosen.device);
  return chosen;
};

afterEach(() => {
  for (const device of opened.splice(0)) device.close();
});

/** A machine whose adapter is this machine's own, under another name. */
async function pretend(description: string, requestDevice?: () => Promise<GPUDevice>): Promise<void> {
  const adapter = (await (await nodeGpu()).requestAdapter())!;
  const info = { vendor: 'test', architecture: '', device: '', description, isFallbackAdapter: false };
  const { features, limits } = adapter;
  const renamed = { info, features, limits, requestDevice: requestDevice ?? adapter.requestDevice.bind(adapter) };
  const gpu = { requestAdapter: async () => renamed } as unknown as GPU;
  setDeviceSources({ findGpu: async () => gpu, createCpuDevice });
}

const withoutGpu = (findGpu: () => Promise<GPU | undefined>) => setDeviceSources({ findGpu, createCpuDevice });

describe('auto', () => {
  it('takes a GPU', async () => {
    await pretend('Real GPU 9000');
    const { device, reason } = await choose();
    expect([device.kind, reason]).toEqual(['webgpu', 'Real GPU 9000 is a GPU']);
  });

  it.each(['llvmpipe (LLVM 15)', 'SwiftShader Device', 'Microsoft Basic Render Driver'])(
    'passes over %s',
    async (name) => {
      await pretend(name);
      const { device, reason } = await choose();
      expect(device.kind).toBe('cpu');
      expect(reason).toMatch(/^no GPU: WebGPU offers only .*, which computes on the processor too/);
      expect(reason).toContain(name);
    },
  );

  it("refuses Dawn's null backend", async () => {
    await pretend('Null backend');
    const { device, reason } = await choose();
    expect(device.kind).toBe('cpu');
    expect(reason).toContain('computes nothing');
  });

  it.each<[string, () => Promise<GPU | undefined>, string]>([
    [
      'WebGPU does not load',
      async () => Promise.reject(new Error('the package is missing')),
      'no GPU: the package is missing',
    ],
    ['there is no WebGPU', async () => undefined, 'navigator.gpu is missing'],
    ['there is no adapter', async () => ({ requestAdapter: async () => null }) as unknown as GPU, 'found no adapter'],
  ])('takes the CPU where %s', async (_, findGpu, reason) => {
    withoutGpu(findGpu);
    const chosen = await choose();
    expect(chosen.device.kind).toBe('cpu');
    expect(chosen.reason).toContain(reason);
  });

  it('takes the CPU where the GPU does not open', async () => {
    await pretend('Real GPU 9000', async () => Promise.reject(new Error('it is asleep')));
    const { device, reason } = await choose();
    expect([device.kind, reason]).toEqual(['cpu', 'no GPU: it is asleep']);
  });
});

describe('a device by name', () => {
  it.each<DeviceChoice>(['webgpu', 'cpu', 'reference'])('%s', async (name) => {
    withoutGpu(nodeGpu);
    const { device, reason } = await choose(name);
    expect([device.kind, reason]).toEqual([name, 'as requested']);
  });

  it('is not replaced by another', async () => {
    withoutGpu(async () => undefined);
    await expect(choose('webgpu')).rejects.toThrow('There is no WebGPU here');
  });

  it('is one of the known ones', async () => {
    await expect(choose('cuda' as DeviceChoice)).rejects.toThrow(
      "there is no device 'cuda': choose one of auto, webgpu, cpu, reference",
    );
  });
});

it('initDevice makes tensors on the device from then on', async () => {
  const { device } = await initDevice({ device: 'reference' });
  opened.push(device);
  expect(getDefaultDevice()).toBe(device);
});
