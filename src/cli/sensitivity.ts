/** `marsgrad sensitivity`: both strengths of every method times a range of factors, on the machinery of `sweep`. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { type OptionValues, parseRecipe, type Recipe, type StudyTask } from '../experiments/recipe.ts';
import {
  SENSITIVITY_FACTORS,
  type SensitivityCurve,
  type SensitivityPoint,
  type SensitivityRun,
  sensitivityCsv,
  sensitivityCurves,
} from '../experiments/sensitivity.ts';
import { drawSensitivity } from '../report/node/sensitivityPicture.ts';
import type { Context } from './context.ts';
import { InterruptedError, oneLine, UsageError } from './errors.ts';
import { settingsFrom } from './jobs/finetuneOptions.ts';
import { hasDiverged } from './jobs/job.ts';
import { JobPool } from './jobs/pool.ts';
import type { BestPoint } from './jobs/search.ts';
import { factsOf, METHODS } from './methods.ts';
import { addDeviceOptions, addOutputOptions, type DeviceOptions, type OutputOptions, option } from './options.ts';
import { formatPercent, formatTable, Output } from './output.ts';
import { choice, choices, listOf, number, wholeNumber, wholeNumbers } from './parse.ts';
import type { TrainingSettings } from './settings.ts';
import { deviceFor } from './sweep.ts';

interface SensitivityOptions extends DeviceOptions, OutputOptions {
  readonly out?: string;
  readonly task?: string;
  readonly methods?: readonly string[];
  readonly factors: readonly number[];
  readonly seeds?: readonly number[];
  readonly evaluateOn: TrainingSettings['evaluateOn'];
  readonly jobs: number;
}

const EXAMPLES = `
<study> is a recipe as of sweep, whose methods hold their strengths as options (radius-extractor, reg-classifier, …), or the folder of a task that
sweep has tuned: OUT/<task>. The strengths are multiplied together, the learning rate and all else stay; methods without strengths are left
out. What is done is skipped and what was cut off goes on: after a kill, or Ctrl-C, give the same command again.

  OUT/<method>/factor-<f>/seed-<n>/      the run folders
  OUT/sensitivity.json, .csv, .svg       accuracies, their means, the picture

Examples:
  marsgrad sensitivity runs/study/few --out runs/sensitivity
  marsgrad sensitivity strengths.json --factors 0.1,1,10 --seeds 0,1
  marsgrad report runs/sensitivity`;

export function sensitivityCommand(context: Context): Command {
  const command = new Command('sensitivity')
    .description(
      'accuracy when the strengths of every method are multiplied by 10⁻⁴ … 10⁴; goes on where it was stopped',
    )
    .argument('<study>', 'a recipe, or the folder of a task that was tuned')
    .addHelpText('after', EXAMPLES)
    .option('--out <folder>', 'where the runs go (default: runs/sensitivity)')
    .option('--task <name>', 'of a recipe with several tasks')
    .addOption(option('--methods <a,b,…>', 'only these (default: all that have strengths)', choices(METHODS)))
    .addOption(
      option('--factors <a,b,…>', 'on both strengths', listOf(number(Number.MIN_VALUE))).default(SENSITIVITY_FACTORS),
    )
    .addOption(option('--seeds <a,b,…>', "default: the recipe's", wholeNumbers(0)))
    .addOption(
      option('--evaluate-on <split>', 'the images that decide: test, val', choice(['test', 'val'])).default('test'),
    )
    .addOption(option('--jobs <n>', 'trainings at once, each in a process of its own', wholeNumber(1)).default(1));
  addDeviceOptions(command);
  addOutputOptions(command);
  return command.action(async (path: string, options: SensitivityOptions) => {
    const output = new Output(options.json, context.streams);
    const pool = new JobPool(options.jobs, context.signal);
    try {
      await new SensitivityStudy(readStudy(path, options), options, output, pool).toEnd();
    } finally {
      pool.close();
      output.close();
    }
  });
}

/** A method with its strengths, as options of `finetune`. */
interface Entry {
  readonly method: string;
  readonly options: OptionValues;
}

interface BaseStudy {
  readonly task: string;
  readonly entries: readonly Entry[];
  readonly seeds: readonly number[];
}

function readStudy(path: string, { task: taskName, methods, seeds }: SensitivityOptions): BaseStudy {
  if (!existsSync(path)) throw new UsageError(`There is no file and no folder ${path}.`);
  const isFolder = statSync(path).isDirectory();
  const file = isFolder ? join(dirname(resolve(path)), 'sweep.json') : path;
  if (!existsSync(file)) throw new UsageError(`${path} is no task of a sweep: there is no ${file}.`);
  const recipe = recipeIn(file);
  const task = isFolder ? taskCalled(recipe, basename(resolve(path)), file) : onlyTask(recipe, taskName, file);
  if (!isFolder && recipe.tuning)
    throw new UsageError(`${file} is to be tuned first: run marsgrad sweep, then give its folder of a task.`);
  const wanted = recipe.methods.filter(({ name }) => (methods ? methods.includes(name) : true));
  const missing = methods?.find((name) => !recipe.methods.some((method) => method.name === name));
  if (missing !== undefined) throw new UsageError(`${file} has no method "${missing}".`);
  const entries = wanted.map(({ name, options }) => ({
    method: name,
    options: { ...task.options, ...options, ...(isFolder && recipe.tuning && pointOf(path, task, name)) },
  }));
  return { task: task.name, entries, seeds: seeds ?? recipe.seeds };
}

function recipeIn(file: string): Recipe {
  try {
    return parseRecipe(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new UsageError(`${file}: ${oneLine(error)}`);
  }
}

function taskCalled({ tasks }: Recipe, name: string, file: string): StudyTask {
  const found = tasks.find((task) => task.name === name);
  if (!found)
    throw new UsageError(`${file} has no task "${name}"; it has ${tasks.map((task) => task.name).join(', ')}.`);
  return found;
}

function onlyTask(recipe: Recipe, name: string | undefined, file: string): StudyTask {
  if (name !== undefined) return taskCalled(recipe, name, file);
  if (recipe.tasks.length > 1)
    throw new UsageError(
      `${file} has several tasks: name one with --task ${recipe.tasks.map((task) => task.name).join(' | ')}.`,
    );
  return recipe.tasks[0]!;
}

/** What the sweep found, in the task or in the one that it was tuned like. */
function pointOf(path: string, { name, tunedLike }: StudyTask, method: string): OptionValues {
  const folder = join(dirname(resolve(path)), tunedLike ?? name, method, 'tune');
  const file = join(folder, 'best.json');
  if (!existsSync(file))
    throw new UsageError(`${method} is not tuned yet: there is no ${file}. Leave it out with --methods.`);
  return (JSON.parse(readFileSync(file, 'utf8')) as BestPoint).point;
}

/** The strengths of a method times `factor`; null (no bound) stays. */
function scaled(settings: TrainingSettings, factor: number): TrainingSettings {
  const { regularization } = settings;
  const times = (value: number | null) => (value === null ? null : value * factor);
  const [extractor, classifier] = [times(regularization.extractor), times(regularization.classifier)];
  return { ...settings, regularization: { ...regularization, extractor, classifier } };
}

class SensitivityStudy {
  private readonly study: BaseStudy;
  private readonly options: SensitivityOptions;
  private readonly out: string;
  private readonly output: Output;
  private readonly pool: JobPool;
  private readonly runs: SensitivityRun[] = [];

  constructor(study: BaseStudy, options: SensitivityOptions, output: Output, pool: JobPool) {
    this.study = study;
    this.options = options;
    this.out = options.out ?? 'runs/sensitivity';
    this.output = output;
    this.pool = pool;
  }

  async toEnd(): Promise<void> {
    const bases = await this.baseSettings();
    const { factors } = this.options;
    const { seeds, task } = this.study;
    mkdirSync(this.out, { recursive: true });
    // A seed of everything, before the next seed of anything.
    const all = seeds.flatMap((seed) => factors.flatMap((factor) => bases.map((base) => ({ ...base, factor, seed }))));
    const ends = all.map((one, priority) => this.train(one, priority));
    const [first] = (await Promise.allSettled(ends)).filter((end) => end.status === 'rejected');
    if (first) throw this.errorOf(first.reason);
    const order = bases.map(({ method }) => method);
    const runs = this.runs.sort(
      (a, b) => order.indexOf(a.method) - order.indexOf(b.method) || a.factor - b.factor || a.seed - b.seed,
    );
    const curves = sensitivityCurves(runs);
    const strengths = bases.map(({ method, settings: { regularization, optimizer } }) => ({
      method,
      kind: kindOf(method),
      extractor: regularization.extractor,
      classifier: regularization.classifier,
      learningRate: optimizer.learningRate,
    }));
    const date = new Date().toISOString().slice(0, 10);
    const facts = { date, task, evaluateOn: this.options.evaluateOn, factors, seeds, strengths, curves };
    writeFileSync(join(this.out, 'sensitivity.json'), `${JSON.stringify(facts, null, 1)}\n`);
    writeFileSync(join(this.out, 'sensitivity.csv'), sensitivityCsv(runs));
    writeFileSync(join(this.out, 'sensitivity.svg'), drawSensitivity(curves, kindOf));
    this.output.record({ type: 'summary', out: this.out, ...facts });
    this.output.result(`${tableOf(curves)}\n\nWritten to ${this.out}.`);
  }

  private errorOf(reason: unknown): unknown {
    if (!(reason instanceof InterruptedError)) return reason;
    return new InterruptedError(`Interrupted; all is saved. The same command goes on, with the runs in ${this.out}.`);
  }

  /** Of every method that has strengths; a mistake is told before the first run. */
  private async baseSettings(): Promise<{ readonly method: string; readonly settings: TrainingSettings }[]> {
    const { entries, task } = this.study;
    const all = [];
    for (const { method, options } of entries) {
      const settings = await settingsFrom(options, `${task}, ${method}`);
      const { regularization } = settings;
      const isTied = regularization.extractor !== null || regularization.classifier !== null;
      if (isTied) all.push({ method, settings: { ...settings, evaluateOn: this.options.evaluateOn } });
    }
    if (all.length === 0)
      throw new UsageError(`${task}: no method has a radius or a coefficient that could be multiplied.`);
    return all;
  }

  private async train(
    one: {
      readonly method: string;
      readonly settings: TrainingSettings;
      readonly factor: number;
      readonly seed: number;
    },
    priority: number,
  ): Promise<void> {
    const { method, settings, factor, seed } = one;
    const place = join(method, `factor-${factor}`, `seed-${seed}`);
    const job = {
      settings: { ...scaled(settings, factor), seed },
      device: deviceFor(this.options, this.options.jobs),
      out: join(this.out, place),
    };
    let accuracy: number | null = null;
    let outcome: string;
    try {
      const result = await this.pool.run(job, priority);
      accuracy = result.accuracy;
      outcome = `${formatPercent(accuracy)} · ${result.status === 'found' ? 'done before' : `${result.seconds.toFixed(0)} s`}`;
    } catch (error) {
      if (!hasDiverged(error)) throw error;
      outcome = `diverged: ${oneLine(error)}`;
    }
    this.runs.push({ method, factor, seed, accuracy });
    this.output.record({ type: 'run', method, factor, seed, accuracy });
    this.output.message(`${place}: ${outcome}`);
  }
}

/** What a method's strengths are; of one that goes by another name, as the recipe calls it. */
function kindOf(name: string): string {
  const method = METHODS.find((one) => one === name);
  return method && factsOf(method).extractor === 'radius' ? 'constraints: radius' : 'penalties: coefficient';
}

function tableOf(curves: readonly SensitivityCurve[]): string {
  const factors = [...new Set(curves.flatMap(({ points }) => points.map(({ factor }) => factor)))].sort(
    (a, b) => a - b,
  );
  const cell = (point: SensitivityPoint | undefined): string => {
    if (!point) return '';
    const lost = point.accuracies.filter((one) => one === null).length;
    if (!point.sample) return 'diverged';
    const { mean, deviation, count } = point.sample;
    const spread = count > 1 ? ` ± ${(100 * deviation).toFixed(1)}` : '';
    return `${(100 * mean).toFixed(1)}${spread}${lost > 0 ? ` (${lost} diverged)` : ''}`;
  };
  return formatTable([
    ['factor', ...curves.map(({ method }) => method)],
    ...factors.map((factor) => [
      String(factor),
      ...curves.map(({ points }) => cell(points.find((point) => point.factor === factor))),
    ]),
  ]);
}
