/** `marsgrad summarize`: complete runs as a table, over seeds. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Command } from 'commander';
import {
  formatSummary,
  type RunFacts,
  summarizeRuns,
  TABLE_FORMATS,
  type TableFormat,
} from '../experiments/summary.ts';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import { addOutputOptions, type OutputOptions, option } from './options.ts';
import { Output } from './output.ts';
import { choice } from './parse.ts';
import { type RunConfig, RunFolder } from './runFolder.ts';
import type { TrainingSettings } from './settings.ts';
import type { TrainingSummary } from './trainingRun.ts';

interface SummarizeOptions extends OutputOptions {
  readonly format: TableFormat;
}

const EXAMPLES = `
A row is a method with its settings, over its seeds: mean ± sample standard deviation, the 95 % interval of the mean, and the gain over the first row on the
same seeds with the p of a paired t-test (two-sided). Runs of other data, networks or lengths stand in tables of their own.

Examples:
  marsgrad summarize runs/
  marsgrad summarize runs/flowers-* --format latex`;

export function summarizeCommand(context: Context): Command {
  const command = new Command('summarize')
    .description('accuracies of complete runs over their seeds, as a table')
    .argument('<runs...>', 'run folders, or folders that hold some')
    .addHelpText('after', EXAMPLES)
    .addOption(option('--format <name>', TABLE_FORMATS.join(', '), choice(TABLE_FORMATS)).default(TABLE_FORMATS[0]));
  addOutputOptions(command);
  return command.action((paths: string[], options: SummarizeOptions) => {
    const output = new Output(options.json, context.streams);
    const runs = paths.flatMap(runsBelow).map(readRun);
    const complete = runs.filter((run) => run.summary !== null);
    if (runs.length > complete.length)
      output.message(`${runs.length - complete.length} runs are not complete: left out.`);
    if (complete.length === 0) throw new UsageError(`There is no complete run in ${paths.join(', ')}.`);
    const tables = summarizeRuns(factsOf(complete));
    output.record({ type: 'summary', tables });
    output.result(formatSummary(tables, options.format));
  });
}

/** The run folders at or below a path. */
function runsBelow(path: string): string[] {
  if (!existsSync(path)) throw new UsageError(`There is no folder ${path}.`);
  if (existsSync(join(path, 'config.json'))) return [path];
  const inside = readdirSync(path).map((name) => join(path, name));
  return inside.filter((one) => statSync(one).isDirectory()).flatMap(runsBelow);
}

interface Run {
  readonly path: string;
  readonly settings: TrainingSettings;
  readonly summary: TrainingSummary | null;
}

function readRun(path: string): Run {
  const { settings } = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as RunConfig;
  const last = RunFolder.at(path).readLog().at(-1);
  return { path, settings, summary: last?.type === 'summary' ? (last as unknown as TrainingSummary) : null };
}

/** What a row is told apart by, beside its method. */
const rowSettings = ({
  regularization,
  optimizer,
  schedule,
  augment,
  randAugment,
  mix,
  labelSmoothing,
  head,
}: TrainingSettings) => ({
  ...regularization,
  ...optimizer,
  optimizer: optimizer.name,
  schedule: schedule.name,
  augment,
  randAugment,
  mix,
  labelSmoothing,
  head,
});

/** Runs of one task share everything else but the seed. */
function taskOf(settings: TrainingSettings): string {
  const { network, dataset, classes, trainPerClass, trainFraction, labelNoise, epochs, batchSize, preset } = settings;
  const facts = [
    `${basename(resolve(dataset))}, ${network}, ${epochs} epochs of batches of ${batchSize}`,
    preset === 'modern' ? '' : `preset ${preset}`,
    classes ? classes.join('/') : '',
    trainPerClass === null ? '' : `${trainPerClass} images a class`,
    trainFraction === null ? '' : `${100 * trainFraction} % of the images`,
    labelNoise === 0 ? '' : `${100 * labelNoise} % wrong labels`,
  ];
  return facts.filter(Boolean).join(', ');
}

/** A row says what differs among the rows of its task, and nothing else. */
function factsOf(runs: readonly Run[]): RunFacts[] {
  return runs.map(({ settings, summary }) => {
    const task = taskOf(settings);
    const others = runs.filter((run) => taskOf(run.settings) === task).map((run) => rowSettings(run.settings));
    const own = Object.entries(rowSettings(settings)).filter(
      ([name, value]) =>
        name !== 'method' &&
        name !== 'name' &&
        others.some((other) => JSON.stringify(other[name as keyof typeof other]) !== JSON.stringify(value)),
    );
    const words = own.filter(([, value]) => value !== null).map(([name, value]) => `${name} ${shown(value)}`);
    const { method } = settings.regularization;
    return { task, method, settings: words.join(', '), seed: settings.seed, accuracy: summary!.test.top1 };
  });
}

const shown = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));
