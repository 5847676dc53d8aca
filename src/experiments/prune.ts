/**
 * Pruning of hopeless trials by the median rule (Golovin et al., "Google Vizier", KDD 2017, section 3.2; the default of Optuna): a trial
 * ends early when, at a look, it is worse than the median of what the earlier trials had at that look.
 */

/** A look at the validation images. */
export interface Look {
  readonly epoch: number;
  /** 0 … 1. */
  readonly accuracy: number;
}

/** So many trials run to their end before one is pruned. */
export const PRUNING_STARTUP = 4;

/**
 * The least accuracy at each epoch of a look with which a trial goes on, from the looks of the earlier trials; empty where these are too
 * few. What a trial is compared with depends on earlier trials alone.
 */
export function leastAccuracies(
  earlier: readonly (readonly Look[])[],
  startup = PRUNING_STARTUP,
): Readonly<Record<number, number>> {
  const byEpoch = new Map<number, number[]>();
  for (const { epoch, accuracy } of earlier.flat()) byEpoch.set(epoch, [...(byEpoch.get(epoch) ?? []), accuracy]);
  const medians = [...byEpoch].filter(([, accuracies]) => accuracies.length >= startup);
  return Object.fromEntries(medians.map(([epoch, accuracies]) => [epoch, median(accuracies)]));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
