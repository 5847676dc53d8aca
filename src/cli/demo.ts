/**
 * `marsgrad demo`, the main job: a ResNet-20 that was trained on five classes of CIFAR-10 learns the other five from 100 images
 * each, of which 40 % carry a wrong label; once free, once held in a MARS ball around its pre-trained weights.
 */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { describeComparison } from './comparison.ts';
import type { Context } from './context.ts';
import { addDeviceOptions, addOutputOptions, type DeviceOptions, type OutputOptions } from './options.ts';
import { Output } from './output.ts';
import { PACKAGE_ROOT } from './package.ts';
import { wholeNumber } from './parse.ts';
import { freePath } from './runFolder.ts';
import type { Method, TrainingSettings } from './settings.ts';
import { startRun, type TrainingResult } from './trainingRun.ts';

const SOURCE = join(PACKAGE_ROOT, 'pretrained/resnet20-cifar10-airplane-bird-cat-horse-truck/weights.safetensors');

interface DemoOptions extends OutputOptions, DeviceOptions {
  readonly seed: number;
  readonly epochs: number;
  readonly out?: string;
}

/** The learning rate of each method is the best of the same grid, by validation images of another seed than the demo's. */
const METHODS: readonly Pick<TrainingSettings, 'method' | 'learningRate' | 'radiusExtractor' | 'radiusClassifier'>[] = [
  { method: 'none', learningRate: 0.01, radiusExtractor: null, radiusClassifier: null },
  { method: 'mars-pgm', learningRate: 0.01, radiusExtractor: 0.3, radiusClassifier: 3 },
];

/** The same for both methods. */
const SHARED: Omit<
  TrainingSettings,
  'method' | 'learningRate' | 'radiusExtractor' | 'radiusClassifier' | 'seed' | 'epochs'
> = {
  command: 'finetune',
  network: 'resnet20',
  weights: SOURCE,
  dataset: 'cifar10',
  classes: ['automobile', 'deer', 'dog', 'frog', 'ship'],
  trainPerClass: 100,
  labelNoise: 0.4,
  validation: null,
  imageSize: null,
  mean: null,
  std: null,
  augment: 'none',
  batchSize: 32,
  optimizer: 'sgd',
  momentum: 0.9,
  nesterov: false,
  weightDecay: 0,
  schedule: { name: 'step', warmupEpochs: 0, final: 0, decayEvery: 20, decayFactor: 0.5 },
  labelSmoothing: 0,
  evaluateEvery: 0,
  logEvery: 0,
};

const EXAMPLES = `
Examples:
  marsgrad demo
  marsgrad demo --seed 1 --out runs/second --json`;

export function demoCommand(context: Context): Command {
  const command = new Command('demo')
    .description(
      'fine-tune a ResNet-20 on five new classes with noisy labels, free and within a MARS ball, and compare',
    )
    .addHelpText('after', EXAMPLES)
    .addOption(new Option('--epochs <n>', 'of both runs').argParser(wholeNumber(1)).default(30))
    .addOption(new Option('--seed <n>', 'of both runs').argParser(wholeNumber(0)).default(0))
    .option('--out <folder>', 'where the two run folders go (default: a new one, runs/demo)');
  addDeviceOptions(command);
  addOutputOptions(command);
  return command.action(async (options: DemoOptions) => {
    const output = new Output(options.json, context.streams);
    try {
      const results = await runBoth(options, output, context.signal);
      output.record({ type: 'summary', runs: results.map(({ summary }) => summary) });
      const [free, held] = results as [TrainingResult, TrainingResult];
      output.result(describeComparison(free, held));
    } finally {
      output.close();
    }
  });
}

async function runBoth(options: DemoOptions, output: Output, signal: AbortSignal): Promise<TrainingResult[]> {
  const out = options.out ?? freePath('runs/demo');
  const { seed, epochs, threads } = options;
  const device = { device: options.device, ...(threads !== undefined && { threads }) };
  const results: TrainingResult[] = [];
  for (const own of METHODS) {
    output.message(`\n${titleOf(own.method)}`);
    const settings = { ...SHARED, ...own, seed, epochs };
    results.push(await startRun({ settings, device, out: join(out, own.method), output, signal }));
  }
  return results;
}

const titleOf = (method: Method): string =>
  method === 'none' ? 'none: all weights are free' : 'mars-pgm: projected onto the MARS ball after every step';
