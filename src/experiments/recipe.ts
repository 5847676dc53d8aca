/**
 * A study as a file: methods × tasks × seeds.
 *
 *   {
 *     "name": "what it is, in a sentence",
 *     "base": { "weights": "resnet20.safetensors", "dataset": "cifar10", "epochs": 20 },
 *     "tasks": {
 *       "few":  { "train-per-class": 10 },
 *       "fast": { "train-per-class": 10, "tuned-like": "few", "lr-factor": 3 }
 *     },
 *     "methods": {
 *       "none": {},
 *       "mars-pgm": { "space": { "radius-extractor": "0.05..5", "radius-classifier": "0.5..20" } }
 *     },
 *     "seeds": [0, 1, 2],
 *     "tune": { "max-evals": 20, "startup-trials": 5, "seed": 100, "evaluate-every": 5, "space": { "lr": "0.001..0.1" } }
 *   }
 *
 * `base`, tasks and methods hold options of `finetune` by their long names; a method's stand above its task's, and those above the base's.
 * A method's name is its `--method` unless it says another. With `tune`, each method is tuned in each task with the same number of trials;
 * a task that is `tuned-like` another takes the values found there, its learning rate times `lr-factor`.
 */
import { parseSpace } from './dimension.ts';
import type { SearchSpace } from './space.ts';

export type OptionValue = string | number | boolean | readonly (string | number)[];
/** Options by their long names, without the dashes. */
export type OptionValues = Readonly<Record<string, OptionValue>>;

export interface Tuning {
  readonly maxEvals: number;
  readonly startupTrials: number;
  /** Of the search, and of the trials' data and training. */
  readonly seed: number;
  /** Epochs between the looks by which hopeless trials are ended early; 0: none is. */
  readonly evaluateEvery: number;
}

export interface StudyTask {
  readonly name: string;
  readonly options: OptionValues;
  /** Where the values come from; null: found in this task. */
  readonly tunedLike: string | null;
  readonly lrFactor: number;
}

export interface StudyMethod {
  readonly name: string;
  readonly options: OptionValues;
  /** What is searched; empty without tuning. */
  readonly space: SearchSpace;
}

export interface Recipe {
  readonly name: string;
  readonly tasks: readonly StudyTask[];
  readonly methods: readonly StudyMethod[];
  readonly seeds: readonly number[];
  readonly tuning: Tuning | null;
}

type Json = Readonly<Record<string, unknown>>;

/** Throws a RangeError that names the place where the recipe is none. */
export function parseRecipe(value: unknown): Recipe {
  const { name = 'study', base = {}, tasks, methods, seeds = [0], tune, ...others } = record(value, 'the recipe');
  refuseOthers(others, 'the recipe', 'name, base, tasks, methods, seeds, tune');
  if (!Array.isArray(seeds) || seeds.length === 0 || !seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0))
    throw new RangeError('the recipe: seeds must be a list of whole numbers ≥ 0, as [0, 1, 2]');
  if (new Set(seeds).size !== seeds.length) throw new RangeError('the recipe: a seed stands there twice');
  const common = optionsOf(base, 'base');
  const tuning = tune === undefined ? null : tuningOf(record(tune, 'tune'));
  const shared = tune === undefined ? {} : ((tune as Json).space ?? {});
  const read = <T>(all: unknown, what: string, make: (name: string, value: Json) => T): T[] =>
    Object.entries(record(all, what)).map(([own, given]) => make(nameOf(own, what), record(given, `${what}, ${own}`)));
  const recipe: Recipe = {
    name: String(name),
    tasks: read(tasks, 'tasks', (own, given) => taskOf(own, given, common)),
    methods: read(methods, 'methods', (own, given) => methodOf(own, given, tuning ? shared : {})),
    seeds: seeds as number[],
    tuning,
  };
  checkTogether(recipe);
  return recipe;
}

function checkTogether({ tasks, methods, tuning }: Recipe): void {
  if (tasks.length === 0) throw new RangeError('the recipe: it has no tasks');
  if (methods.length === 0) throw new RangeError('the recipe: it has no methods');
  for (const { name, tunedLike } of tasks) {
    const model = tasks.find((task) => task.name === tunedLike);
    if (tunedLike !== null && (!tuning || !model || model.tunedLike !== null))
      throw new RangeError(`tasks, ${name}: tuned-like "${tunedLike}" is no task that is tuned itself`);
  }
  for (const { name, space } of methods) {
    if (tuning && Object.keys(space).length === 0)
      throw new RangeError(`methods, ${name}: there is nothing to tune; give it a space, or leave out tune`);
  }
}

/** Folders are named after tasks and methods. */
function nameOf(name: string, where: string): string {
  if (/^[\w][\w.+-]*$/.test(name) && name !== 'tune') return name;
  throw new RangeError(`${where}: "${name}" becomes the name of a folder: letters, digits, ".", "-", "_" and "+" only`);
}

function record(value: unknown, where: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new RangeError(`${where}: it must be an object, { … }`);
}

function refuseOthers(others: Json, where: string, known: string): void {
  const [first] = Object.keys(others);
  if (first !== undefined) throw new RangeError(`${where}: there is no "${first}"; known are ${known}`);
}

function optionsOf(value: unknown, where: string): OptionValues {
  for (const [name, one] of Object.entries(record(value, where))) {
    const isPlain = (item: unknown) => typeof item === 'string' || typeof item === 'number';
    const fits = isPlain(one) || typeof one === 'boolean' || (Array.isArray(one) && one.every(isPlain));
    if (!fits) throw new RangeError(`${where}: "${name}" must be a text, a number, true, false or a list`);
    if (name === 'seed') throw new RangeError(`${where}: the seeds stand in "seeds"`);
  }
  return value as OptionValues;
}

function taskOf(name: string, given: Json, base: OptionValues): StudyTask {
  const { 'tuned-like': tunedLike = null, 'lr-factor': lrFactor = 1, ...options } = given;
  if (typeof lrFactor !== 'number' || !(lrFactor > 0))
    throw new RangeError(`tasks, ${name}: lr-factor must be a number above 0`);
  const own = optionsOf(options, `tasks, ${name}`);
  return { name, options: { ...base, ...own }, tunedLike: tunedLike === null ? null : String(tunedLike), lrFactor };
}

function methodOf(name: string, given: Json, shared: unknown): StudyMethod {
  const { space = {}, ...options } = given;
  const texts = { ...record(shared, 'tune, space'), ...record(space, `methods, ${name}, space`) };
  for (const [dimension, text] of Object.entries(texts)) {
    if (typeof text !== 'string')
      throw new RangeError(`methods, ${name}, space: "${dimension}" must be a text as "0.001..0.1"`);
  }
  const own = optionsOf(options, `methods, ${name}`);
  return { name, options: { method: name, ...own }, space: parseSpace(texts as Record<string, string>) };
}

function tuningOf(given: Json): Tuning {
  const { 'max-evals': maxEvals = 20, 'startup-trials': startup, seed = 0, 'evaluate-every': every = 0 } = given;
  const { 'max-evals': _, 'startup-trials': __, seed: ___, 'evaluate-every': ____, space: _____, ...others } = given;
  refuseOthers(others, 'tune', 'max-evals, startup-trials, seed, evaluate-every, space');
  const whole = (value: unknown, name: string, least: number): number => {
    if (Number.isSafeInteger(value) && (value as number) >= least) return value as number;
    throw new RangeError(`tune: ${name} must be a whole number ≥ ${least}`);
  };
  return {
    maxEvals: whole(maxEvals, 'max-evals', 1),
    // hyperopt draws the first 20 at random: with a budget of 20, all of them.
    startupTrials: whole(startup ?? 20, 'startup-trials', 1),
    seed: whole(seed, 'seed', 0),
    evaluateEvery: whole(every, 'evaluate-every', 0),
  };
}
