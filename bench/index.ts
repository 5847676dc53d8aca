/** `npm run bench`: how fast every kind of kernel and the networks are on a device, against what the machine can do. */
import './engine.ts';
import '../src/devices/node.ts';
import '../src/ops/methods.ts';
import { chooseDevice } from '../src/devices/choose.ts';
import type { Device } from '../src/devices/device.ts';
import {
  batchNormCases,
  convolutionCases,
  elementwiseCases,
  type KernelCase,
  matmulCases,
  optimizerCases,
  poolCases,
} from './cases/kernels.ts';
import { forwardCase, type NetworkCase, trainingCase } from './cases/networks.ts';
import { loadNow, machineFacts } from './machine.ts';
import { type Bench, measureKernel, measureNetwork, openBench } from './measure.ts';
import { type Options, parseOptions, UsageError } from './options.ts';
import type { Peaks } from './peaks/peaks.ts';
import { WasmPeaks } from './peaks/wasm.ts';
import { WebGpuPeaks } from './peaks/webgpu.ts';
import { type BenchRecord, type KernelResult, type NetworkResult, writeResults } from './results.ts';
import { spread } from './statistics.ts';
import { digits, percent, table } from './table.ts';
import { FULL, QUICK } from './timing.ts';

function kernelCases(quick: boolean): KernelCase[] {
  return [
    ...matmulCases(quick ? [256, 512, 1024] : [256, 512, 1024, 2048]),
    ...convolutionCases('resnet20', 128, 32),
    ...(quick ? [] : convolutionCases('resnet50', 8, 224)),
    ...batchNormCases([
      [128, 16, 32, 32],
      [128, 64, 8, 8],
      [8, 64, 112, 112],
      [8, 256, 56, 56],
    ]),
    ...elementwiseCases([128, 16, 32, 32]),
    ...elementwiseCases([32, 64, 64, 64]),
    ...poolCases([8, 64, 112, 112]),
    ...optimizerCases('resnet20'),
    ...optimizerCases('resnet50'),
  ];
}

function networkCases(quick: boolean): NetworkCase[] {
  if (quick) return [trainingCase('resnet20', 128, 32)];
  return [
    // The step of the main job (src/cli/mainJob.ts).
    trainingCase('resnet20', 32, 32, 0.3),
    trainingCase('resnet20', 64, 32),
    trainingCase('resnet20', 128, 32),
    trainingCase('resnet20', 128, 32, 1),
    forwardCase('resnet50', 8, 224),
  ];
}

async function openPeaks(device: Device, threads: number): Promise<Peaks> {
  if (device.kind === 'webgpu') return WebGpuPeaks.open();
  if (device.kind === 'cpu') return WasmPeaks.open(threads);
  throw new UsageError('--device reference: the float64 device is there to be read, not to be fast; it has no peak');
}

async function measureAll(options: Options, device: Device, peaks: Peaks): Promise<BenchRecord> {
  const machine = machineFacts();
  const date = new Date().toISOString();
  const bench = await openBench(device, peaks, options.quick ? QUICK : FULL);
  const isWanted = ({ group, name }: { group: string; name: string }) => options.only.test(`${group}: ${name}`);
  const kernels = await measureEach(kernelCases(options.quick).filter(isWanted), bench, measureKernel);
  const networks = await measureEach(networkCases(options.quick).filter(isWanted), bench, measureNetwork);
  return {
    command: options.command,
    date,
    machine: { ...machine, loadAtEnd: loadNow() },
    device: { kind: device.kind, name: device.name, threads: device.kind === 'cpu' ? options.threads : null },
    peaks: {
      description: peaks.description,
      gflopPerSecond: spread(bench.arithmetic),
      copyGigabytesPerSecond: bench.copyGigabytesPerSecond,
    },
    kernels,
    networks,
  };
}

async function measureEach<C extends { readonly group: string; readonly name: string }, R>(
  cases: readonly C[],
  bench: Bench,
  measure: (bench: Bench, one: C) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (const one of cases) {
    process.stderr.write(`${one.group}: ${one.name}\n`);
    results.push(await measure(bench, one));
  }
  return results;
}

const KERNEL_HEAD = ['', 'ms', 'GFLOP/s', 'GB/s', 'limit', 'of limit', '(quartiles)'];

function kernelTable(results: readonly KernelResult[]): string {
  const row = ({ name, seconds, rates, limit, ofPeak }: KernelResult) => [
    `  ${name}`,
    digits(1000 * seconds.median),
    digits(rates.gflopPerSecond),
    digits(rates.gigabytesPerSecond),
    limit,
    percent(ofPeak.median),
    `${percent(ofPeak.low)} … ${percent(ofPeak.high)}`,
  ];
  const groups = [...new Set(results.map(({ group }) => group))];
  return table(
    KERNEL_HEAD,
    groups.flatMap((group) => [
      [group, ...KERNEL_HEAD.slice(1).map(() => '')],
      ...results.filter((result) => result.group === group).map(row),
    ]),
  );
}

function networkTables(results: readonly NetworkResult[]): string {
  return results
    .map((result) => {
      const { name, seconds, imagesPerSecond, rates, ofPeak, shares, launches, flops, bytes } = result;
      const summary =
        `${name}: ${digits(1000 * seconds.median)} ms, ${digits(imagesPerSecond)} images/s, ` +
        `${digits(rates.gflopPerSecond)} GFLOP/s (${percent(ofPeak.median)} of the peak), GEMM ${percent(result.gemmShare)} of the time\n` +
        `  ${launches} launches, ${digits(flops / 1e9)} GFLOP, ${digits(bytes / 1e9)} GB`;
      const rows = shares.map((share) => [
        `  ${share.kernel}`,
        String(share.launches),
        digits(1000 * share.seconds),
        percent(share.share),
        digits(share.gflopPerSecond),
        digits(share.gigabytesPerSecond),
      ]);
      return `${summary}\n${table(['', 'launches', 'ms', 'share', 'GFLOP/s', 'GB/s'], rows)}`;
    })
    .join('\n\n');
}

function print(record: BenchRecord): void {
  const { machine, device, peaks, kernels, networks } = record;
  const lines = [
    `${record.command}   ${record.date}`,
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGib} GiB; Node ${machine.node}; commit ${machine.commit ?? 'unknown'}`,
    `load ${digits(machine.loadAtStart)} at the start, ${digits(machine.loadAtEnd)} at the end`,
    `device: ${device.kind}, ${device.name}`,
    `peaks: ${digits(peaks.gflopPerSecond.median)} GFLOP/s (quartiles ${digits(peaks.gflopPerSecond.low)} … ${digits(peaks.gflopPerSecond.high)}), ` +
      `copy ${digits(peaks.copyGigabytesPerSecond)} GB/s read and written`,
    `  ${peaks.description}`,
  ];
  if (kernels.length > 0) lines.push('', kernelTable(kernels));
  if (networks.length > 0) lines.push('', networkTables(networks));
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function main(): Promise<void> {
  const options = parseOptions('bench', process.argv.slice(2));
  const { device, reason } = await chooseDevice({ device: options.device, threads: options.threads });
  process.stderr.write(`${device.kind}: ${device.name} (${reason})\n`);
  const peaks = await openPeaks(device, options.threads);
  try {
    const record = await measureAll(options, device, peaks);
    print(record);
    process.stderr.write(`written: ${writeResults(record, options.out, device.kind)}\n`);
  } finally {
    peaks.close();
    device.close();
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof UsageError ? error.message : (error as Error).stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
