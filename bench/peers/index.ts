/** `npm run bench:peers`: marsgrad against other frameworks, on this machine, in this run, as ratios of paired timings. */
import '../engine.ts';
import '../../src/devices/node.ts';
import '../../src/ops/methods.ts';
import { chooseDevice } from '../../src/devices/choose.ts';
import type { Device } from '../../src/devices/device.ts';
import { loadNow, type MachineFacts, machineFacts } from '../machine.ts';
import { type Options, parseOptions, UsageError } from '../options.ts';
import { type DeviceFacts, writeResults } from '../results.ts';
import { maxRelativeDifference, median, pairedRatio, type Spread } from '../statistics.ts';
import { digits, percent, table } from '../table.ts';
import { FULL, QUICK, type Sampling, type Subject, sampleInTurns, timed } from '../timing.ts';
import { type Prepared, prepareConv2d, prepareMatmul, prepareTraining } from './ours.ts';
import { type Peer, startPeers } from './peer.ts';
import { ArrayFolder, type Conv2dShape, conv2dShapes, matmulShape } from './tasks.ts';

interface Comparison {
  readonly task: string;
  readonly peer: string;
  readonly flops: number;
  /** Seconds by round: the two of a round were measured one after the other. */
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  /** How many times faster marsgrad is: theirs/ours. */
  readonly speedup: Spread;
  /** Of the peer's result against marsgrad's, before anything was timed. */
  readonly maxRelativeDifference: number;
}

interface NotCompared {
  readonly task: string;
  readonly peer: string;
  readonly reason: string;
}

/** A backward pass against the forward pass of the same convolution: both have the same FLOPs. */
interface PassRatio {
  readonly task: string;
  /** GFLOP/s of the pass over GFLOP/s of the forward pass. */
  readonly ofForward: Spread;
}

interface PeersRecord {
  readonly command: string;
  readonly date: string;
  readonly machine: MachineFacts & { readonly loadAtEnd: number };
  readonly device: DeviceFacts;
  readonly peers: readonly { readonly name: string; readonly version: string; readonly threads: number }[];
  readonly missing: readonly string[];
  readonly comparisons: readonly Comparison[];
  readonly notCompared: readonly NotCompared[];
  readonly passes: readonly PassRatio[];
}

const CONVOLUTIONS = [conv2dShapes(32, 16, 32, 16), conv2dShapes(8, 64, 56, 64)];

interface NamedPreparation {
  readonly name: string;
  prepare(): Promise<Prepared>;
}

function preparations(device: Device): NamedPreparation[] {
  return [
    ...[512, 1024].map(matmulShape).map((shape) => ({ name: shape.name, prepare: () => prepareMatmul(device, shape) })),
    ...CONVOLUTIONS.flat().map((shape) => ({ name: shape.name, prepare: () => prepareConv2d(device, shape) })),
    { name: 'ResNet-20 training step', prepare: () => prepareTraining(device, 128, 32) },
  ];
}

const ourSubject = (device: Device, { shape, run }: Prepared): Subject =>
  timed(shape.name, run, () => device.synchronize());

class Run {
  readonly comparisons: Comparison[] = [];
  readonly notCompared: NotCompared[] = [];
  readonly passes: PassRatio[] = [];
  readonly #device: Device;
  readonly #peers: readonly Peer[];
  readonly #sampling: Sampling;
  readonly #arrays = new ArrayFolder();

  constructor(device: Device, peers: readonly Peer[], sampling: Sampling) {
    this.#device = device;
    this.#peers = peers;
    this.#sampling = sampling;
  }

  async compareAll({ only }: Options): Promise<void> {
    for (const { name, prepare } of preparations(this.#device)) {
      const peers = this.#peers.filter((peer) => only.test(`${peer.name}: ${name}`));
      if (peers.length === 0) continue;
      const prepared = await prepare();
      for (const peer of peers) await this.#compare(prepared, peer);
      prepared.close();
    }
    for (const shapes of CONVOLUTIONS) {
      if (shapes.some(({ name }) => only.test(`passes: ${name}`))) await this.#comparePasses(shapes);
    }
  }

  close(): void {
    this.#arrays.close();
  }

  async #compare(prepared: Prepared, peer: Peer): Promise<void> {
    const { shape, flops } = prepared;
    const { name: task } = shape;
    process.stderr.write(`${peer.name}: ${task}\n`);
    const inputs = Object.fromEntries(
      Object.entries(prepared.inputs).map(([name, values]) => [name, this.#arrays.write(name, values)]),
    );
    try {
      await peer.prepare({ ...shape, inputs, output: this.#arrays.path('output') });
      const [theirResult, ourResult] = [this.#arrays.read('output'), prepared.result].map(prepared.comparable);
      const difference = maxRelativeDifference(theirResult!, ourResult!);
      const subjects = [ourSubject(this.#device, prepared), peer];
      const [ours, theirs] = (await sampleInTurns(subjects, this.#sampling)) as [number[], number[]];
      const speedup = pairedRatio(theirs, ours);
      this.comparisons.push({ task, peer: peer.name, flops, ours, theirs, speedup, maxRelativeDifference: difference });
    } catch (error) {
      this.notCompared.push({ task, peer: peer.name, reason: (error as Error).message.split('\n')[0]! });
    }
  }

  async #comparePasses(shapes: readonly Conv2dShape[]): Promise<void> {
    const prepared: Prepared[] = [];
    for (const shape of shapes) prepared.push(await prepareConv2d(this.#device, shape));
    const subjects = prepared.map((one) => ourSubject(this.#device, one));
    const [forward, ...backward] = await sampleInTurns(subjects, this.#sampling);
    backward.forEach((seconds, i) => {
      this.passes.push({ task: shapes[i + 1]!.name, ofForward: pairedRatio(forward!, seconds) });
    });
    for (const one of prepared) one.close();
  }
}

const quartiles = ({ low, high }: Spread): string => `${digits(low)} … ${digits(high)}`;

function print(record: PeersRecord): void {
  const { machine, device, comparisons, notCompared, passes, peers, missing } = record;
  const lines = [
    `${record.command}   ${record.date}`,
    `${machine.processor}, ${machine.cores} cores; Node ${machine.node}; commit ${machine.commit ?? 'unknown'}; ` +
      `load ${digits(machine.loadAtStart)} at the start, ${digits(machine.loadAtEnd)} at the end`,
    `marsgrad on ${device.kind}: ${device.name}`,
    ...peers.map(
      ({ name, version, threads }) => `${name}: version ${version}, ${threads} thread${threads === 1 ? '' : 's'}`,
    ),
    ...missing.map((reason) => `missing: ${reason}`),
    '',
    'How many times faster marsgrad is (paired, alternating runs; below 1 the peer is faster):',
    '',
    table(
      ['', 'peer', 'times', '(quartiles)', 'ours GFLOP/s', 'theirs', 'results differ by'],
      comparisons.map(({ task, peer, speedup, flops, ours, theirs, maxRelativeDifference: difference }) => [
        task,
        peer,
        digits(speedup.median),
        quartiles(speedup),
        digits(flops / median(ours) / 1e9),
        digits(flops / median(theirs) / 1e9),
        difference.toExponential(1),
      ]),
    ),
  ];
  if (notCompared.length > 0) lines.push('', 'Not compared:');
  for (const { task, peer, reason } of notCompared) lines.push(`  ${peer}, ${task}: ${reason}`);
  if (passes.length > 0) {
    const rows = passes.map(({ task, ofForward }) => [
      task,
      percent(ofForward.median),
      `${percent(ofForward.low)} … ${percent(ofForward.high)}`,
    ]);
    lines.push('', "marsgrad's backward passes:", '', table(['', "of the forward's GFLOP/s", '(quartiles)'], rows));
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function main(): Promise<void> {
  const options = parseOptions('bench:peers', process.argv.slice(2));
  const { threads } = options;
  const machine = machineFacts();
  const date = new Date().toISOString();
  const { device } = await chooseDevice({ device: options.device, threads });
  const { peers, missing } = await startPeers(threads);
  const run = new Run(device, peers, options.quick ? QUICK : FULL);
  try {
    await run.compareAll(options);
    const record: PeersRecord = {
      command: options.command,
      date,
      machine: { ...machine, loadAtEnd: loadNow() },
      device: { kind: device.kind, name: device.name, threads: device.kind === 'cpu' ? threads : null },
      peers: peers.map(({ name, facts }) => ({ name, ...facts })),
      missing,
      comparisons: run.comparisons,
      notCompared: run.notCompared,
      passes: run.passes,
    };
    print(record);
    process.stderr.write(`written: ${writeResults(record, options.out, 'peers')}\n`);
  } finally {
    run.close();
    for (const peer of peers) peer.close();
    device.close();
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof UsageError ? error.message : (error as Error).stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
