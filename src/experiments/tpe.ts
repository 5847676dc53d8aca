/**
 * The Tree-structured Parzen Estimator (Bergstra, Bardenet, Bengio & Kégl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011,
 * section 4), with the rules and defaults of hyperopt's `tpe.suggest`, for spaces without conditions:
 *
 *   the first 20 trials are drawn at random; then
 *   ℓ: density of the best ⌈γ·√n⌉ of n trials (at most 25), γ = 0.25;  g: of all others          (Parzen windows, parzen.ts)
 *   24 candidates are drawn from ℓ, and the one with the largest ℓ/g is next: it has the largest expected improvement (section 4.1)
 *
 * each dimension by itself. Of a choice, ℓ and g are counts, weighed as in parzen.ts, plus the prior's weight. A trial that failed counts
 * as worse than all others.
 *
 * All there is to a search are its seed and its trials: trial n depends on them alone, so a search goes on from stored trials as if it
 * had never stopped. The numbers drawn are not hyperopt's; their distribution is.
 */
import { Random } from '../tensor/random.ts';
import {
  drawIndex,
  drawWindow,
  forgottenWeight,
  logDensity,
  logProbability,
  parzenWindows,
  REMEMBERED,
} from './parzen.ts';
import {
  checkSpace,
  type Dimension,
  drawFrom,
  fromScale,
  limitsOf,
  type Point,
  type SearchSpace,
  toScale,
} from './space.ts';

export interface Trial<S extends SearchSpace = SearchSpace> {
  readonly point: Point<S>;
  /** To be made small; null: the trial failed, or gave no finite number. */
  readonly loss: number | null;
}

export interface TpeOptions {
  /** Default: 0. */
  readonly seed?: number;
  /** Trials drawn at random before the first estimate. Default: 20. */
  readonly startupTrials?: number;
  /** Default: 24. */
  readonly candidates?: number;
  /** Default: 0.25. */
  readonly gamma?: number;
  /** How many trials are good: ⌈γ·√n⌉ (hyperopt, default) or ⌈γ·n⌉ (the paper); at most 25. */
  readonly split?: 'sqrt' | 'linear';
  /** Of the prior among the observations. Default: 1. */
  readonly priorWeight?: number;
}

/** The point to try after these trials, the oldest first. Throws where the space is none, or a trial lacks a dimension of it. */
export function suggest<S extends SearchSpace>(
  space: S,
  trials: readonly Trial<S>[],
  options: TpeOptions = {},
): Point<S> {
  const { seed = 0, startupTrials = 20, gamma = 0.25, split = 'sqrt' } = options;
  checkSpace(space);
  if (!(gamma > 0 && gamma <= 1)) throw new RangeError(`suggest: gamma is ${gamma}; it must be above 0 and at most 1`);
  const random = new Random(seed).fork('tpe').fork(trials.length);
  const [good, others] = splitTrials(trials, gamma, split);
  const values = Object.entries(space).map(([name, dimension]) => {
    const own = random.fork(name);
    if (trials.length < startupTrials) return [name, drawFrom(dimension, own)] as const;
    const observed = (part: readonly Trial<S>[]) => part.map(({ point }) => observedValue(point, name, dimension));
    return [name, propose(dimension, observed(good), observed(others), own, options)] as const;
  });
  return Object.fromEntries(values) as Point<S>;
}

/** A point drawn without regard to the trials but for their number: the one that `suggest` gives before its start-up is over. */
export const suggestAtRandom = <S extends SearchSpace>(space: S, trials: readonly Trial<S>[], seed = 0): Point<S> =>
  suggest(space, trials, { seed, startupTrials: Number.POSITIVE_INFINITY });

/** The best, and all others; both in the order in which they were made. */
function splitTrials<T extends Trial>(trials: readonly T[], gamma: number, split: 'sqrt' | 'linear'): [T[], T[]] {
  const count = gamma * (split === 'sqrt' ? Math.sqrt(trials.length) : trials.length);
  const lossOf = ({ loss }: T) => loss ?? Number.POSITIVE_INFINITY;
  const ranked = [...trials].sort((a, b) => (lossOf(a) === lossOf(b) ? 0 : lossOf(a) - lossOf(b)));
  const best = new Set(ranked.slice(0, Math.min(Math.ceil(count), REMEMBERED)));
  return [trials.filter((trial) => best.has(trial)), trials.filter((trial) => !best.has(trial))];
}

type Value = number | string | boolean;

function observedValue(point: Readonly<Record<string, Value>>, name: string, dimension: Dimension): Value {
  const value = point[name];
  const fits = dimension.kind === 'choice' ? dimension.options.includes(value!) : Number.isFinite(value);
  if (!fits) throw new RangeError(`suggest: a trial has ${value} for ${name}, which the search space does not`);
  return value!;
}

/** The candidate from ℓ with the largest ℓ/g. */
function propose(
  dimension: Dimension,
  good: readonly Value[],
  others: readonly Value[],
  random: Random,
  { candidates = 24, priorWeight = 1 }: TpeOptions,
): Value {
  const { draw, logRatio } =
    dimension.kind === 'choice'
      ? estimateChoice(dimension.options, good, others, priorWeight)
      : estimateNumber(dimension, good as number[], others as number[], priorWeight);
  const drawn = Array.from({ length: candidates }, () => draw(random));
  const ratios = drawn.map(logRatio);
  return drawn[ratios.indexOf(Math.max(...ratios))]!;
}

/** How candidates are drawn from ℓ, and ln(ℓ/g) of one. */
interface Estimate<V> {
  readonly draw: (random: Random) => V;
  readonly logRatio: (value: V) => number;
}

function estimateNumber(
  dimension: Exclude<Dimension, { kind: 'choice' }>,
  good: readonly number[],
  others: readonly number[],
  priorWeight: number,
): Estimate<Value> {
  const [low, high] = limitsOf(dimension);
  const windowsOf = (values: readonly number[]) =>
    parzenWindows(
      values.map((value) => toScale(dimension, value)),
      low,
      high,
      priorWeight,
    );
  const [l, g] = [windowsOf(good), windowsOf(others)];
  return {
    draw: (random) => fromScale(dimension, drawWindow(l, random)),
    logRatio: (value) => {
      if (dimension.kind === 'quantizedUniform')
        return logProbability(l, Number(value), dimension.step) - logProbability(g, Number(value), dimension.step);
      const x = toScale(dimension, Number(value));
      return logDensity(l, x) - logDensity(g, x);
    },
  };
}

function estimateChoice(
  options: readonly Value[],
  good: readonly Value[],
  others: readonly Value[],
  priorWeight: number,
): Estimate<Value> {
  const probabilities = (values: readonly Value[]) => {
    const counts = options.map((option) =>
      values.reduce<number>(
        (sum, value, i) => sum + (value === option ? forgottenWeight(i, values.length) : 0),
        priorWeight,
      ),
    );
    const total = counts.reduce((sum, count) => sum + count, 0);
    return counts.map((count) => count / total);
  };
  const [l, g] = [probabilities(good), probabilities(others)];
  return {
    draw: (random) => options[drawIndex(l, random)]!,
    logRatio: (value) => {
      const at = options.indexOf(value);
      return Math.log(l[at]! / g[at]!);
    },
  };
}

export interface MinimizeOptions<S extends SearchSpace> extends TpeOptions {
  /** Trials in all, those that are there already included. */
  readonly evaluations: number;
  /** Of an earlier search with the same seed: the search goes on after them. */
  readonly trials?: readonly Trial<S>[];
  /** Called with every new trial, to store it. */
  readonly onTrial?: (trial: Trial<S>, number: number) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

export interface SearchResult<S extends SearchSpace> {
  /** The trial of the smallest loss, the first of several; null where all failed. */
  readonly best: Trial<S> | null;
  readonly trials: readonly Trial<S>[];
}

/**
 * Tries points one after the other. `objective` gets a point and the number of its trial (from 0), and gives the loss; null or what is
 * not finite marks a trial that failed. What it throws ends the search; so does `signal`, with its reason.
 */
export async function minimize<S extends SearchSpace>(
  space: S,
  objective: (point: Point<S>, number: number) => number | null | Promise<number | null>,
  { evaluations, trials: earlier = [], onTrial, signal, ...options }: MinimizeOptions<S>,
): Promise<SearchResult<S>> {
  const trials = [...earlier];
  while (trials.length < evaluations) {
    signal?.throwIfAborted();
    const number = trials.length;
    const point = suggest(space, trials, options);
    const loss = await objective(point, number);
    const trial: Trial<S> = { point, loss: loss !== null && Number.isFinite(loss) ? loss : null };
    trials.push(trial);
    await onTrial?.(trial, number);
  }
  const done = trials.filter(({ loss }) => loss !== null);
  const best = done.reduce<Trial<S> | null>(
    (least, trial) => (least && least.loss! <= trial.loss! ? least : trial),
    null,
  );
  return { best, trials };
}
