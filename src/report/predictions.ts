/** What a network says of single images: which classes it confuses, and where it is most sure and wrong. */
import type { Predictions } from '../train/index.ts';

/** counts[label · classes + answer], over all runs. */
export interface Confusion {
  readonly classes: readonly string[];
  readonly counts: readonly number[];
  readonly runs: number;
}

export function confusionOf(classes: readonly string[], all: readonly Predictions[]): Confusion {
  const counts = new Array<number>(classes.length ** 2).fill(0);
  for (const { logits, labels } of all) {
    labels.forEach((label, n) => {
      counts[label * classes.length + largest(logits, n * classes.length, classes.length)]!++;
    });
  }
  return { classes, counts, runs: all.length };
}

/** The place of the largest of `count` values from `start` on; the first wins a tie, as in the accuracy. */
function largest(values: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (values[start + i]! > values[start + best]!) best = i;
  return best;
}

export interface WrongImage {
  /** In the data set. */
  readonly index: number;
  readonly label: number;
  readonly answer: number;
  /** Softmax probability of the answer, and of the label; means over the runs. */
  readonly probability: number;
  readonly labelProbability: number;
}

/** The `count` images whose wrong answer has the largest mean probability over the runs, the most certain first. */
export function mostConfidentlyWrong(all: readonly Predictions[], count: number): WrongImage[] {
  const [first] = all;
  if (!first || first.labels.length === 0) return [];
  const classes = first.logits.length / first.labels.length;
  const wrong = [...first.labels].flatMap((label, index): WrongImage[] => {
    const means = new Float64Array(classes);
    for (const { logits } of all) softmaxInto(means, logits, index * classes, 1 / all.length);
    const answer = means.reduce((best, value, i) => (value > means[best]! ? i : best), 0);
    if (answer === label) return [];
    return [{ index, label, answer, probability: means[answer]!, labelProbability: means[label]! }];
  });
  return wrong.sort((a, b) => b.probability - a.probability || a.index - b.index).slice(0, count);
}

/** Adds the softmax of a row of logits, times `weight`. */
function softmaxInto(sums: Float64Array, logits: Float32Array, start: number, weight: number): void {
  const row = logits.subarray(start, start + sums.length);
  const most = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const exponentials = Float64Array.from(row, (logit) => Math.exp(logit - most));
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  for (let i = 0; i < sums.length; i++) sums[i] = sums[i]! + (weight * exponentials[i]!) / total;
}
