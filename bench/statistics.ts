/** Statistics of repeated timings. Medians, because what disturbs a timing (another process) only ever makes it longer. */

/** The q-quantile, 0 ≤ q ≤ 1, interpolated between neighbours. Throws where there is none: no values, or a NaN among them. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError('a quantile of no values');
  if (values.some(Number.isNaN)) throw new RangeError('a quantile of values that are not all numbers');
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!;
  const above = sorted[Math.ceil(at)]!;
  return below === above ? below : below + (at - Math.floor(at)) * (above - below);
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** A median with its quartiles: half of the values lie between `low` and `high`. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export const spread = (values: readonly number[]): Spread => ({
  median: median(values),
  low: quantile(values, 0.25),
  high: quantile(values, 0.75),
});

/**
 * The spread of a[i]/b[i], where a[i] and b[i] were measured one right after the other: a slow minute of the machine hits
 * both, and their ratio stands. (The ratio of two medians would compare different minutes.)
 */
export function pairedRatio(a: readonly number[], b: readonly number[]): Spread {
  if (a.length !== b.length) throw new RangeError(`${a.length} timings cannot be paired with ${b.length}`);
  return spread(a.map((value, i) => value / b[i]!));
}

/** max |a − b| / max |b|: how far two results of one computation are apart. NaN where either holds one. */
export function maxRelativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new RangeError(`a result of ${a.length} elements against one of ${b.length}`);
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs(a[i]! - b[i]!);
    if (Number.isNaN(distance)) return Number.NaN;
    difference = Math.max(difference, distance);
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return largest === 0 ? difference : difference / largest;
}
