/**
 * `marsgrad demo`, the main job: a ResNet-20 that was trained on five classes of CIFAR-10 learns the other five from 100 images
 * each, of which 40 % carry a wrong label; once free, once held in a MARS ball around its pre-trained weights.
 */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { RecordPlan } from '../train/index.ts';
import { describeComparison } from './comparison.ts';
import type { Context } from './context.ts';
import { type DashboardOption, dashboardOption, withDashboard } from './dashboard.ts';
import { MAIN_JOB_EPOCHS, MAIN_JOB_METHODS, type MainJobMethod, mainJob } from './mainJob.ts';
import { addDeviceOptions, addOutputOptions, type DeviceOptions, type OutputOptions, recordOption } from './options.ts';
import { Output } from './output.ts';
import { wholeNumber } from './parse.ts';
import { freePath } from './runFolder.ts';
import { startRun, type TrainingResult } from './trainingRun.ts';

interface DemoOptions extends OutputOptions, DeviceOptions, DashboardOption {
  readonly seed: number;
  readonly epochs: number;
  readonly record: RecordPlan;
  readonly out?: string;
}

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
    .addOption(new Option('--epochs <n>', 'of both runs').argParser(wholeNumber(1)).default(MAIN_JOB_EPOCHS))
    .addOption(new Option('--seed <n>', 'of both runs').argParser(wholeNumber(0)).default(0))
    .addOption(recordOption())
    .option('--out <folder>', 'where the two run folders go (default: a new one, runs/demo)')
    .addOption(dashboardOption());
  addDeviceOptions(command);
  addOutputOptions(command);
  return command.action(async (options: DemoOptions) => {
    const output = new Output(options.json, context.streams);
    try {
      const out = options.out ?? freePath('runs/demo');
      const run = () => runBoth({ ...options, out }, output, context.signal);
      const results = await withDashboard(options.dashboard, out, output, run);
      output.record({ type: 'summary', runs: results.map(({ summary }) => summary) });
      const [free, held] = results as [TrainingResult, TrainingResult];
      output.result(describeComparison(free, held));
    } finally {
      output.close();
    }
  });
}

async function runBoth(
  options: DemoOptions & { readonly out: string },
  output: Output,
  signal: AbortSignal,
): Promise<TrainingResult[]> {
  const { seed, epochs, threads, record, out } = options;
  const device = { device: options.device, ...(threads !== undefined && { threads }) };
  const results: TrainingResult[] = [];
  for (const method of MAIN_JOB_METHODS) {
    output.message(`\n${titleOf(method)}`);
    const settings = { ...mainJob(method, seed), epochs };
    results.push(await startRun({ settings, device, out: join(out, method), output, signal, record }));
  }
  return results;
}

const titleOf = (method: MainJobMethod): string =>
  method === 'none' ? 'none: all weights are free' : 'mars-pgm: projected onto the MARS ball after every step';
