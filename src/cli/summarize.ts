/** `marsgrad summarize`: complete runs as a table, over seeds. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { formatSummary, summarizeRuns, TABLE_FORMATS, type TableFormat } from '../experiments/summary.ts';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import { addOutputOptions, type OutputOptions, option } from './options.ts';
import { Output } from './output.ts';
import { choice } from './parse.ts';
import { rowsOf } from './rows.ts';
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
    const rows = rowsOf(complete.map(({ settings }) => settings));
    const facts = complete.map(({ settings, summary }, i) => ({
      ...rows[i]!,
      seed: settings.seed,
      accuracy: summary!.test.top1,
    }));
    const tables = summarizeRuns(facts);
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
