/** `marsgrad sweep`: a study from a recipe, resumable. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import {
  type OptionValues,
  parseRecipe,
  type Recipe,
  type StudyMethod,
  type StudyTask,
} from '../experiments/recipe.ts';
import { formatSummary, type RunFacts, summarizeRuns } from '../experiments/summary.ts';
import type { RecordPlan } from '../train/index.ts';
import type { Context } from './context.ts';
import { type DashboardOption, dashboardOption, withDashboard } from './dashboard.ts';
import { InterruptedError, oneLine, UsageError } from './errors.ts';
import { settingsFrom } from './jobs/finetuneOptions.ts';
import type { JobResult } from './jobs/job.ts';
import { JobPool } from './jobs/pool.ts';
import { type BestPoint, describePoint, type SearchPoint, search } from './jobs/search.ts';
import {
  addDeviceOptions,
  addOutputOptions,
  type DeviceOptions,
  type OutputOptions,
  option,
  recordOption,
} from './options.ts';
import { formatPercent, Output } from './output.ts';
import { wholeNumber } from './parse.ts';

interface SweepOptions extends DeviceOptions, OutputOptions, DashboardOption {
  readonly out?: string;
  readonly jobs: number;
  readonly record: RecordPlan;
}

const EXAMPLES = `
A recipe is a JSON file: base, tasks and methods hold options of finetune by their long names (docs/experiments.md).
What is done is skipped and what was cut off goes on: after a kill, or Ctrl-C, give the same command again.

  OUT/sweep.json                         the recipe
  OUT/<task>/<method>/seed-<n>/          the run folders
  OUT/<task>/<method>/tune/              trials.ndjson, best.json, and config and log of every trial

Examples:
  marsgrad sweep study.json --out runs/study
  marsgrad sweep study.json --out runs/study --jobs 2
  marsgrad summarize runs/study`;

export function sweepCommand(context: Context): Command {
  const command = new Command('sweep')
    .description('methods × tasks × seeds from a recipe, each tuned with the same budget; goes on where it was stopped')
    .argument('<recipe>', 'a JSON file')
    .addHelpText('after', EXAMPLES)
    .option('--out <folder>', "where the runs go (default: runs/ and the recipe's name)")
    .addOption(
      option(
        '--jobs <n>',
        'trainings at once, each in a process of its own; the cores are shared out',
        wholeNumber(1),
      ).default(1),
    )
    .addOption(recordOption('none'))
    .addOption(dashboardOption());
  addDeviceOptions(command);
  addOutputOptions(command);
  return command.action(async (path: string, options: SweepOptions) => {
    const output = new Output(options.json, context.streams);
    const recipe = readRecipe(path);
    const out = options.out ?? join('runs', basename(path, '.json'));
    storeRecipe(path, out);
    const pool = new JobPool(options.jobs, context.signal);
    try {
      const sweep = new Sweep(recipe, out, options, output, pool);
      await withDashboard(options.dashboard, out, output, () => sweep.toEnd());
    } finally {
      pool.close();
      output.close();
    }
  });
}

function readRecipe(path: string): Recipe {
  if (!existsSync(path)) throw new UsageError(`There is no file ${path}.`);
  try {
    return parseRecipe(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    throw new UsageError(`${path}: ${oneLine(error)}`);
  }
}

/** Beside its runs: seeds, methods and tasks may be added later. */
function storeRecipe(path: string, out: string): void {
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'sweep.json'), readFileSync(path));
}

/** The cores, shared out among the jobs. */
export function deviceFor({ device, threads }: DeviceOptions, jobs: number): DeviceOptions {
  if (threads !== undefined || jobs === 1) return { device, ...(threads !== undefined && { threads }) };
  return { device, threads: Math.max(1, Math.floor(availableParallelism() / jobs)) };
}

/** A method in a task, after it was tuned. */
interface Entry {
  readonly task: StudyTask;
  readonly method: StudyMethod;
  readonly place: string;
  /** Empty without tuning. */
  readonly point: Promise<SearchPoint>;
}

class Sweep {
  private readonly recipe: Recipe;
  private readonly out: string;
  private readonly device: DeviceOptions;
  private readonly record: RecordPlan;
  private readonly output: Output;
  private readonly pool: JobPool;
  private readonly facts: RunFacts[] = [];
  private readonly failures: string[] = [];

  constructor(recipe: Recipe, out: string, options: SweepOptions, output: Output, pool: JobPool) {
    this.recipe = recipe;
    this.out = out;
    this.device = deviceFor(options, options.jobs);
    this.record = options.record;
    this.output = output;
    this.pool = pool;
  }

  async toEnd(): Promise<void> {
    await this.checkOptions();
    const entries = this.entries();
    const ends = entries.map((entry, priority) => this.train(entry, priority));
    const [first] = (await Promise.allSettled(ends)).filter((end) => end.status === 'rejected');
    if (first) throw this.errorOf(first.reason);
    const tables = summarizeRuns(this.facts);
    this.output.record({ type: 'summary', out: this.out, tables, failures: this.failures });
    this.output.result(formatSummary(tables, 'text'));
    if (this.failures.length > 0)
      throw new Error(`${this.failures.length} runs failed; the first: ${this.failures[0]}`);
  }

  private errorOf(reason: unknown): unknown {
    if (!(reason instanceof InterruptedError)) return reason;
    return new InterruptedError(`Interrupted; all is saved. The same command goes on, with the runs in ${this.out}.`);
  }

  /** A mistake in the recipe is told before the first hour is over. */
  private async checkOptions(): Promise<void> {
    for (const task of this.recipe.tasks) {
      for (const method of this.recipe.methods)
        await settingsFrom(optionsAt(task, method, anyPoint(method)), `${task.name}, ${method.name}`);
    }
  }

  private entries(): Entry[] {
    const { tasks, methods } = this.recipe;
    const points = new Map<string, Promise<SearchPoint>>();
    const all = tasks.flatMap((task) =>
      methods.map((method) => ({ task, method, place: join(task.name, method.name) })),
    );
    for (const [priority, { task, method, place }] of all.entries())
      if (task.tunedLike === null) points.set(place, this.tune(task, method, priority));
    return all.map(({ task, method, place }) => ({
      task,
      method,
      place,
      point: points.get(join(task.tunedLike ?? task.name, method.name))!,
    }));
  }

  private async tune(task: StudyTask, method: StudyMethod, priority: number): Promise<SearchPoint> {
    const { tuning } = this.recipe;
    if (!tuning) return {};
    const place = join(task.name, method.name);
    const { best } = await search({
      folder: join(this.out, place, 'tune'),
      space: method.space,
      tuning,
      device: this.device,
      settingsAt: (point) => settingsFrom(optionsAt(task, method, point), place),
      run: (job) => this.pool.run(job, priority),
      onTrial: (trial) => {
        const { accuracy, status, seconds } = trial;
        this.output.record({ type: 'trial', place, ...trial });
        const outcome =
          accuracy === null ? status : `${formatPercent(accuracy)}${status === 'done' ? '' : ` (${status})`}`;
        this.output.message(
          `${place} trial ${trial.trial}: ${outcome} at ${describePoint(trial.point)} · ${seconds.toFixed(0)} s`,
        );
      },
    });
    this.output.message(`${place} tuned: ${describeBest(best)}`);
    return best.point;
  }

  private async train({ task, method, place, point }: Entry, priority: number): Promise<void> {
    const at = await point;
    const settings = await settingsFrom(optionsAt(task, method, at), place);
    const { learningRate } = settings.optimizer;
    const optimizer = { ...settings.optimizer, learningRate: learningRate * task.lrFactor };
    const runs = this.recipe.seeds.map(async (seed) => {
      const out = join(this.out, place, `seed-${seed}`);
      try {
        const job = { settings: { ...settings, optimizer, seed }, device: this.device, record: this.record, out };
        this.tell(place, seed, await this.pool.run(job, priority), { task, method, point: at });
      } catch (error) {
        if (error instanceof InterruptedError) throw error;
        this.failures.push(`${place} seed ${seed}: ${oneLine(error)}`);
        this.output.record({ type: 'failure', place, seed, message: oneLine(error) });
        this.output.message(`${place} seed ${seed} failed: ${oneLine(error)}`);
      }
    });
    const [first] = (await Promise.allSettled(runs)).filter((end) => end.status === 'rejected');
    if (first) throw first.reason;
  }

  private tell(
    place: string,
    seed: number,
    { accuracy, seconds, status }: JobResult,
    { task, method, point }: Pick<Entry, 'task' | 'method'> & { point: SearchPoint },
  ): void {
    this.facts.push({
      task: task.name,
      method: method.name,
      settings: describePoint(scaled(point, task.lrFactor)),
      seed,
      accuracy,
    });
    this.output.record({ type: 'run', place, seed, accuracy, status, seconds });
    const time = status === 'found' ? 'done before' : `${seconds.toFixed(0)} s`;
    this.output.message(`${place} seed ${seed}: ${formatPercent(accuracy)} · ${time}`);
  }
}

/** The point that was trained at, in a task with a learning rate of its own. */
const scaled = (point: SearchPoint, lrFactor: number): SearchPoint =>
  typeof point.lr === 'number' ? { ...point, lr: point.lr * lrFactor } : point;

const describeBest = ({ point, accuracy, trial, trials }: BestPoint): string =>
  `${describePoint(point)} (${formatPercent(accuracy)} of the validation images; trial ${trial} of ${trials})`;

function optionsAt({ options }: StudyTask, method: StudyMethod, point: SearchPoint): OptionValues {
  return { ...options, ...method.options, ...point };
}

/** Somewhere in the space, to see that the options go together. */
const anyPoint = ({ space }: StudyMethod): SearchPoint =>
  Object.fromEntries(
    Object.entries(space).map(([name, dimension]) => [
      name,
      dimension.kind === 'choice' ? dimension.options[0]! : dimension.low,
    ]),
  );
