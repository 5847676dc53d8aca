/** Where the time of a step goes, kernel by kernel. */
import type { Device } from '../src/devices/device.ts';
import { WebGpuDevice } from '../src/devices/webgpu/device.ts';
import { fill } from '../src/kernels/copy.ts';
import { type Plan, Replay } from './plan.ts';
import { median } from './statistics.ts';
import { timed } from './timing.ts';

export interface KernelShare {
  readonly kernel: string;
  readonly launches: number;
  readonly seconds: number;
  /** Of the time of all kernels. */
  readonly share: number;
  readonly gflopPerSecond: number;
  readonly gigabytesPerSecond: number;
}

/** The kernels that are, or end in, one matrix product. */
const GEMM_KERNELS = new Set(['matmul', 'conv2d', 'conv2dInputGrad', 'conv2dWeightGrad']);

export const gemmShare = (shares: readonly KernelShare[]): number =>
  shares.filter(({ kernel }) => GEMM_KERNELS.has(kernel)).reduce((sum, { share }) => sum + share, 0);

const WAITS = 101;

/**
 * Seconds of every launch of the plan: by the GPU's own timestamps where it has them, else by waiting after every launch (less
 * what waiting itself takes).
 */
export async function kernelShares(device: Device, plan: Plan, rounds: number): Promise<KernelShare[]> {
  const replay = new Replay(device, plan);
  try {
    replay.run();
    await device.synchronize();
    const canProfile = device instanceof WebGpuDevice && device.adapter.features.includes('timestamp-query');
    const seconds = canProfile
      ? await profiled(device, plan, replay, rounds)
      : await waited(device, plan, replay, rounds);
    return summarize(plan, seconds);
  } finally {
    replay.close();
  }
}

type KernelSeconds = ReadonlyMap<string, number>;

async function profiled(device: WebGpuDevice, plan: Plan, replay: Replay, rounds: number): Promise<KernelSeconds> {
  const samples = emptySamples(plan);
  for (let round = 0; round < rounds; round++) {
    const timings = await device.profile(() => replay.run());
    for (const { name, totalMs } of timings) samples.get(name)?.push(totalMs / 1000);
  }
  return new Map([...samples].map(([name, values]) => [name, median(values)]));
}

async function waited(device: Device, plan: Plan, replay: Replay, rounds: number): Promise<KernelSeconds> {
  const overhead = await waitingSeconds(device);
  const samples = plan.launches.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < plan.launches.length; i++) {
      const begin = performance.now();
      replay.launch(i);
      await device.synchronize();
      samples[i]!.push((performance.now() - begin) / 1000 - overhead);
    }
  }
  const sums = new Map<string, number>();
  plan.launches.forEach(({ kernel }, i) => {
    sums.set(kernel.name, (sums.get(kernel.name) ?? 0) + Math.max(0, median(samples[i]!)));
  });
  return sums;
}

/** From launching next to nothing on an idle device to knowing that it is done. */
async function waitingSeconds(device: Device): Promise<number> {
  const buffer = device.allocate('f32', 1);
  const buffers = { out: { buffer, offset: 0, length: 1 } };
  const launch = () => device.launch({ kernel: fill, constants: {}, params: { count: 1, value: 0 }, buffers });
  const nothing = timed('wait', launch, () => device.synchronize());
  const samples: number[] = [];
  for (let i = 0; i < WAITS; i++) samples.push(await nothing.run(1));
  device.free(buffer);
  return median(samples);
}

const emptySamples = (plan: Plan): Map<string, number[]> =>
  new Map(plan.launches.map(({ kernel }) => [kernel.name, []]));

function summarize(plan: Plan, seconds: KernelSeconds): KernelShare[] {
  const total = [...seconds.values()].reduce((sum, value) => sum + value, 0);
  return [...seconds]
    .map(([kernel, value]) => {
      const own = plan.launches.filter((launch) => launch.kernel.name === kernel);
      const flops = own.reduce((sum, launch) => sum + launch.flops, 0);
      const bytes = own.reduce((sum, launch) => sum + launch.bytes, 0);
      return {
        kernel,
        launches: own.length,
        seconds: value,
        share: value / total,
        gflopPerSecond: flops / value / 1e9,
        gigabytesPerSecond: bytes / value / 1e9,
      };
    })
    .sort((a, b) => b.seconds - a.seconds);
}
