/** BatchNorm's running statistics after a recorded step: those before, moved towards the statistics of the batch. */
import type { Check } from '../context.ts';
import { outcomeOf, skipped } from '../verdict.ts';
import { isAffordable } from './cost.ts';
import { type BatchStatistics, float64Loss } from './float64Loss.ts';
import { brief, count, Findings, float64Session, need, type Values, valuesOf } from './support.ts';

/** Of the spread of a channel's values (its standard deviation for the mean, its variance for the variance): float32 in all layers before. */
export const STATISTICS_LIMIT = 1e-3;

export const batchNorm: Check = {
  id: 'batch-norm',
  title: 'BatchNorm’s statistics come from the batch',
  question:
    'Are the running means and variances after a step those from before it, moved by the recorded images’ own statistics?',
  async run(context) {
    if (context.chosenSteps.length === 0) return skipped('No step was recorded.');
    const why = isAffordable(context);
    if (why) return skipped(why);
    const findings = new Findings();
    const { model } = await float64Session(context);
    const tracked = [...model.namedBuffers().keys()].filter((name) => name.endsWith('.running_mean'));
    if (tracked.length === 0) return skipped('The network has no BatchNorm.');
    let worst = 0;
    for (const step of context.chosenSteps) {
      const { statistics } = await float64Loss(context, step);
      const [before, after] = [valuesOf(step.before.model), valuesOf(step.after.model)];
      for (const name of tracked) {
        const module = name.replace(/\.running_mean$/, '');
        const own = statistics.filter((one) => one.name === module);
        worst = Math.max(worst, compare(`step ${step.step}, ${module}`, module, own, before, after, findings));
      }
    }
    return outcomeOf(
      findings.failed
        ? `${count(findings.failed, 'running statistic')} not from the recorded batch.`
        : `The statistics of ${count(tracked.length, 'BatchNorm layer')} in ${count(context.chosenSteps.length, 'step')}, recomputed in float64 from the convolutions' outputs, differ by ${brief(worst)} of a channel's spread at most (allowed: ${STATISTICS_LIMIT}).`,
      findings.list(),
    );
  },
};

/** Returns the largest difference, relative to the channel's spread. */
function compare(
  place: string,
  module: string,
  batches: readonly BatchStatistics[],
  before: Values,
  after: Values,
  findings: Findings,
): number {
  const mean = Float64Array.from(need(before, `${module}.running_mean`, place));
  const variance = Float64Array.from(need(before, `${module}.running_var`, place));
  const [gotMean, gotVariance] = ['running_mean', 'running_var'].map((name) =>
    need(after, `${module}.${name}`, place),
  ) as [ArrayLike<number>, ArrayLike<number>];
  const spread = new Float64Array(mean.length);
  for (const { mean: own, variance: spreads, momentum } of batches) {
    for (let c = 0; c < mean.length; c++) {
      mean[c] = (1 - momentum) * mean[c]! + momentum * own[c]!;
      variance[c] = (1 - momentum) * variance[c]! + momentum * spreads[c]!;
      spread[c] = Math.max(spread[c]!, spreads[c]!);
    }
  }
  let worst = 0;
  for (let c = 0; c < mean.length; c++) {
    // Without a batch that was normalised by its own statistics, nothing may move at all.
    const isFixed = batches.length === 0;
    const scales = [Math.sqrt(spread[c]!) + 1e-3 * Math.abs(mean[c]!), spread[c]! + 1e-3 * variance[c]!] as const;
    const pairs = [
      ['mean', gotMean[c]!, mean[c]!, scales[0]],
      ['variance', gotVariance[c]!, variance[c]!, scales[1]],
    ] as const;
    for (const [what, got, expected, scale] of pairs) {
      const error =
        got === expected ? 0 : isFixed ? Number.POSITIVE_INFINITY : Math.abs(got - expected) / (scale + 1e-12);
      worst = Math.max(worst, error);
      if (error <= STATISTICS_LIMIT) continue;
      const why = isFixed ? 'this layer is frozen, and its statistics must stay' : `the batch gives ${expected}`;
      findings.fail(`${place}, channel ${c}`, `its running ${what} is ${got}; ${why}`, { value: got, limit: expected });
    }
  }
  return worst;
}
