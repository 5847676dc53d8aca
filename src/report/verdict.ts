/** The result in words: what was run, what came out, and how sure it is. */
import { summarizeSample } from '../experiments/index.ts';
import { bandOf, bestOf, placeOf, type Series, type Task } from './aggregate.ts';
import { duration, listed, percent, plural, points, probability } from './format.ts';
import { imagesOf, type ReportRun, type SearchFacts, type Study } from './runs.ts';
import { wordsOf } from './trials.ts';

export interface Verdict {
  readonly headline: string;
  readonly sentences: readonly string[];
  /** Where there are several tasks: what each of them says. */
  readonly tasks?: readonly { readonly name: string; readonly text: string }[];
}

/** A chance below this is called unlikely. */
const UNLIKELY = 0.05;

export function verdictOf({ runs, searches }: Study, tasks: readonly Task[]): Verdict {
  const judged = tasks.filter((task) => bestOf(task) !== undefined);
  if (judged.length === 0) return ofFactors(runs) ?? (runs.length === 0 ? ofSearches(searches) : null) ?? ofNone(tasks);
  if (judged.length === 1) return verdictOfTask(judged[0]!);
  const wins = new Map<string, number>();
  for (const task of judged) {
    const { method } = bestOf(task)!;
    wins.set(method, (wins.get(method) ?? 0) + 1);
  }
  const ranked = [...wins].sort(([, a], [, b]) => b - a).map(([method, count]) => `${method} in ${count}`);
  return {
    headline: `Highest mean accuracy, over ${judged.length} tasks: ${listed(ranked)}.`,
    sentences: [],
    tasks: judged.map((task) => {
      const { headline, sentences } = verdictOfTask(task);
      return { name: task.shortName, text: [headline, ...sentences].join(' ') };
    }),
  };
}

/** Of a search alone: its best trial. Null where none has come to its end. */
function ofSearches(searches: readonly SearchFacts[]): Verdict | null {
  const bests = searches.flatMap(({ method, trials }) => {
    const done = trials.filter(({ status, accuracy }) => status === 'done' && accuracy !== null);
    const [best] = done.sort((a, b) => b.accuracy! - a.accuracy!);
    return best
      ? [`${method} ${percent(best.accuracy!)} at ${wordsOf(best.point)} (trial ${best.trial} of ${trials.length})`]
      : [];
  });
  if (bests.length === 0) return null;
  return {
    headline: `Best on the validation images: ${listed(bests)}.`,
    sentences: ['The best of many trials is flattered by the choice: test images have not been looked at.'],
  };
}

/** A mean no farther from the method's best counts as near it. */
const NEAR = 0.02;

/** Of a sensitivity study: how many of the factors do nearly as well as the best one. */
function ofFactors(runs: readonly ReportRun[]): Verdict | null {
  const complete = runs.filter(({ factor, summary }) => factor !== null && summary !== null);
  if (complete.length === 0) return null;
  const methods = [...new Set(complete.map(({ method }) => method))].sort((a, b) => placeOf(a) - placeOf(b));
  const near = methods.map((method) => {
    const means = bandOf(
      complete
        .filter((run) => run.method === method)
        .map(({ factor, summary }) => [{ x: factor!, y: summary!.test.top1 }]),
    ).map(({ mean }) => mean);
    const best = Math.max(...means);
    return { method, count: means.filter((mean) => mean >= best - NEAR).length, of: means.length, best };
  });
  return {
    headline: `Within ${100 * NEAR} points of its best: ${listed(near.map(({ method, count, of }) => `${method} at ${count} of ${of} factors`))}.`,
    sentences: [
      `Both strengths of a method were multiplied by each factor. Best means: ${listed(near.map(({ method, best }) => `${method} ${percent(best)}`))}.`,
    ],
  };
}

function ofNone(tasks: readonly Task[]): Verdict {
  const headline = 'No run is complete yet: there is no result.';
  const runs = tasks.flatMap(({ series }) =>
    series.flatMap((one) => one.runs.map((run) => ({ run, title: one.title }))),
  );
  const [first] = runs.filter(({ run }) => run.epochs.length > 0);
  if (runs.length !== 1 || !first) return { headline, sentences: [] };
  const { epoch, loss, accuracy, validation } = first.run.epochs.at(-1)!;
  const seen = validation ? `, ${percent(validation.top1)} on the validation images` : '';
  const sofar = `${first.title} is at epoch ${epoch} of ${first.run.config.settings.epochs}`;
  return {
    headline: `${sofar}: training loss ${loss.toFixed(3)}, ${percent(accuracy)} of the labels it trains on${seen}.`,
    sentences: [`It is not complete: the ${imagesOf([first.run])} decide in the end.`],
  };
}

export function verdictOfTask(task: Task): Verdict {
  const best = bestOf(task)!;
  const judged = task.series.filter(({ row }) => row !== null);
  if (judged.length === 1) return ofOne(best);
  const first = judged[0]!;
  const { row } = best;
  const headline = `${best.title} comes out best of ${judged.length}, with ${accuracyOf(best)}.`;
  if (best === first) return { headline, sentences: [runnerUp(best, judged)] };
  if (!row!.gain) return { headline, sentences: [`It shares no seed with ${first.title}: they cannot be paired.`] };
  return { headline, sentences: [lead(best, first, judged.length - 1)] };
}

/** Bonferroni: the best of k comparisons is the luckiest, too. */
function lead({ row }: Series, first: Series, comparisons: number): string {
  const { mean, halfWidth95, count, p } = row!.gain!;
  const seeds = count === 1 ? 'seed' : `${count} seeds`;
  const size = points(Math.abs(mean)).replace('+', '');
  const above = `On the same ${seeds} it is ${size} points ${mean < 0 ? 'below' : 'above'} ${first.title}`;
  if (count === 1) return `${above}. With one seed, nothing says how much of that is chance.`;
  const interval = `95 % interval ${points(mean - halfWidth95)} to ${points(mean + halfWidth95)}`;
  const corrected = Math.min(1, p * comparisons);
  const many = comparisons > 1 ? `; ${probability(corrected)} when the ${comparisons} comparisons are counted` : '';
  const reading =
    corrected < UNLIKELY
      ? 'Chance alone is an unlikely explanation.'
      : p < UNLIKELY
        ? 'For one comparison that would be unlikely by chance; for the best of several it is not.'
        : 'So small a lead may be chance.';
  return `${above} (${interval}; paired t-test, ${probability(p)}${many}). ${reading}`;
}

function runnerUp(best: Series, judged: readonly Series[]): string {
  const others = judged.filter((one) => one !== best);
  const next = others.reduce((most, one) => (one.row!.mean > most.row!.mean ? one : most));
  const { gain } = next.row!;
  const base = `No other method is ahead of it; next is ${next.title} with ${accuracyOf(next)}`;
  if (!gain || gain.count < 2) return `${base}.`;
  return `${base} (difference on the same seeds ${points(gain.mean)} points, ${probability(gain.p)}).`;
}

function accuracyOf({ row }: Series): string {
  const { mean, deviation, halfWidth95, count } = row!;
  if (count === 1) return `${percent(mean)} (one seed)`;
  // Student's interval of a few seeds may reach where no accuracy is.
  const [low, high] = [Math.max(0, mean - halfWidth95), Math.min(1, mean + halfWidth95)];
  const interval = `95 % interval ${percent(low)} to ${percent(high)}`;
  return `${percent(mean).replace(' %', '')} ± ${percent(deviation)} over ${count} seeds (${interval})`;
}

/** One method: no comparison can be made, and the images are what limits the certainty. */
function ofOne(series: Series): Verdict {
  const done = series.runs.filter(({ summary }) => summary !== null);
  const images = done[0]!.summary!.test.images;
  const { command, network } = done[0]!.config.settings;
  // A training from random weights has no method to speak of.
  const subject = command === 'train' && series.method === 'none' ? network : series.title;
  if (done.length > 1) return { headline: `${subject} reaches ${accuracyOf(series)}.`, sentences: [] };
  const share = done[0]!.summary!.test.top1;
  const [low, high] = wilson(share, images);
  return {
    headline: `${subject} classifies ${percent(share)} of ${images.toLocaleString('en')} images correctly.`,
    sentences: [
      `By the number of images alone the 95 % interval is ${percent(low)} to ${percent(high)} (Wilson); how much another seed would change is not known from one run.`,
    ],
  };
}

/** Wilson's 95 % interval of a share of `count`. */
export function wilson(share: number, count: number): [low: number, high: number] {
  const z = 1.959963984540054;
  const middle = (share + z ** 2 / (2 * count)) / (1 + z ** 2 / count);
  const half = (z / (1 + z ** 2 / count)) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** What was run, in a sentence or two. */
export function describeStudy({ runs, searches }: Study, tasks: readonly Task[]): string {
  const trials = searches.reduce((sum, search) => sum + search.trials.length, 0);
  if (runs.length === 0)
    return searches.length === 0
      ? ''
      : `${plural(searches.length, 'search', 'searches')} of ${plural(trials, 'trial')}.`;
  const complete = runs.filter(({ summary }) => summary !== null);
  const values = (pick: (run: ReportRun) => string) => [...new Set(runs.map(pick))];
  const methods = values(({ method }) => method);
  const seeds = values(({ config }) => String(config.settings.seed));
  const networks = values(({ config }) => config.settings.network);
  const datasets = values(({ config }) => config.settings.dataset.split(/[\\/]/).filter(Boolean).at(-1)!);
  if (runs.length === 1) return describeRun(runs[0]!, networks[0]!, datasets[0]!);
  const missing = runs.length - complete.length;
  return [
    `${plural(runs.length, 'run')} of ${listed(networks)} on ${listed(datasets)}: `,
    `${methods.length === 1 ? methods[0] : `${methods.length} methods`}, ${plural(seeds.length, 'seed')}`,
    tasks.length > 1 ? `, ${tasks.length} tasks` : '',
    trials > 0 ? `; strengths and rates chosen in ${trials} trials` : '',
    '. ',
    missing > 0 ? `${plural(missing, 'run')} not complete: drawn in the curves, left out of the tables. ` : '',
    complete.length > 0 ? `${timeOf(complete)}.` : '',
  ].join('');
}

function describeRun({ config, method, summary }: ReportRun, network: string, dataset: string): string {
  const { command, epochs, seed } = config.settings;
  const how = command === 'train' ? 'trained' : `fine-tuned by ${method}`;
  const { trainImages } = config.inputs.dataset;
  const what = `${network}, ${how} on ${trainImages.toLocaleString('en')} images of ${dataset} for ${plural(epochs, 'epoch')}, seed ${seed}.`;
  return summary ? `${what} It took ${duration(summary.seconds)}.` : what;
}

function timeOf(complete: readonly ReportRun[]): string {
  const seconds = complete.map(({ summary }) => summary!.seconds);
  const total = seconds.reduce((sum, one) => sum + one, 0);
  if (complete.length === 1) return `The complete one took ${duration(total)}`;
  return `They took ${duration(total)} in all, ${duration(summarizeSample(seconds).mean)} each`;
}
