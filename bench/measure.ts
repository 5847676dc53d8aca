/** Measures cases on a device, each in turn with the peak that bounds it. */
import type { Device } from '../src/devices/device.ts';
import type { KernelCase } from './cases/kernels.ts';
import type { NetworkCase } from './cases/networks.ts';
import type { Peaks } from './peaks/peaks.ts';
import { type Plan, RecordingDevice, Replay, recordPlan, totalBytes, totalFlops } from './plan.ts';
import type { KernelResult, NetworkResult, Rates } from './results.ts';
import { gemmShare, kernelShares } from './shares.ts';
import { median, type Spread, spread } from './statistics.ts';
import { type Sampling, sampleInTurns, timed } from './timing.ts';

export interface Bench {
  readonly device: Device;
  readonly peaks: Peaks;
  readonly sampling: Sampling;
  /** GFLOP/s in every sample of the multiply-adds so far. */
  readonly arithmetic: number[];
  /** Of a copy far larger than any cache. */
  readonly copyGigabytesPerSecond: number;
}

const LARGE_COPY_BYTES = 2 ** 28;
const GIGA = 1e9;

export async function openBench(device: Device, peaks: Peaks, sampling: Sampling): Promise<Bench> {
  const copy = await peaks.copy(LARGE_COPY_BYTES);
  const [arithmetic, copies] = await sampleInTurns([peaks.arithmetic, copy.subject], sampling);
  copy.close();
  return {
    device,
    peaks,
    sampling,
    arithmetic: arithmetic!.map((seconds) => peaks.flopsPerRepetition / seconds / GIGA),
    copyGigabytesPerSecond: copy.bytes / median(copies!) / GIGA,
  };
}

const ratesOf = (plan: Plan, seconds: Spread): Rates => ({
  gflopPerSecond: totalFlops(plan) / seconds.median / GIGA,
  gigabytesPerSecond: totalBytes(plan) / seconds.median / GIGA,
});

export async function measureKernel(bench: Bench, { group, name, plan }: KernelCase): Promise<KernelResult> {
  const { device, peaks, sampling } = bench;
  const [flops, bytes] = [totalFlops(plan), totalBytes(plan)];
  const computeSeconds = flops / (median(bench.arithmetic) * GIGA);
  const limit = computeSeconds > bytes / (bench.copyGigabytesPerSecond * GIGA) ? 'compute' : 'memory';
  const copy = limit === 'memory' ? await peaks.copy(bytes) : null;
  const replay = new Replay(device, plan);
  const work = timed(
    name,
    () => replay.run(),
    () => device.synchronize(),
  );
  try {
    const [samples, bounds] = await sampleInTurns([work, copy?.subject ?? peaks.arithmetic], sampling);
    if (!copy) addArithmetic(bench, bounds!);
    const scale = copy ? bytes / copy.bytes : flops / peaks.flopsPerRepetition;
    const ofPeak = spread(samples!.map((seconds, i) => (scale * bounds![i]!) / seconds));
    const seconds = spread(samples!);
    return { group, name, flops, bytes, samples: samples!, seconds, rates: ratesOf(plan, seconds), limit, ofPeak };
  } finally {
    replay.close();
    copy?.close();
  }
}

export async function measureNetwork(bench: Bench, network: NetworkCase): Promise<NetworkResult> {
  const { device, peaks, sampling } = bench;
  const { group, name, images } = network;
  const plan = planOf(network);
  const flops = totalFlops(plan);
  const step = timed(name, network.prepare(device), () => device.synchronize());
  const [samples, bounds] = await sampleInTurns([step, peaks.arithmetic], sampling);
  addArithmetic(bench, bounds!);
  const shares = await kernelShares(device, plan, sampling.rounds);
  const seconds = spread(samples!);
  const peakSeconds = flops / peaks.flopsPerRepetition;
  return {
    group,
    name,
    images,
    flops,
    bytes: totalBytes(plan),
    launches: plan.launches.length,
    samples: samples!,
    seconds,
    imagesPerSecond: images / seconds.median,
    rates: ratesOf(plan, seconds),
    ofPeak: spread(samples!.map((taken, i) => (peakSeconds * bounds![i]!) / taken)),
    gemmShare: gemmShare(shares),
    shares,
  };
}

/** The launches of one step. */
function planOf(network: NetworkCase): Plan {
  const step = network.prepare(new RecordingDevice());
  return recordPlan(step);
}

function addArithmetic(bench: Bench, seconds: readonly number[]): void {
  for (const taken of seconds) bench.arithmetic.push(bench.peaks.flopsPerRepetition / taken / GIGA);
}
