/** What several runs say together: means, how sure they are, and whether one method is ahead of another on the same seeds. */

export interface Sample {
  readonly count: number;
  readonly mean: number;
  /** Sample standard deviation, with n − 1; NaN for one value. */
  readonly deviation: number;
  /** Half of the 95 % confidence interval of the mean, by Student's t; NaN for one value. */
  readonly halfWidth95: number;
}

export function summarizeSample(values: readonly number[]): Sample {
  const count = values.length;
  if (count === 0) throw new RangeError('there are no values to summarize');
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = count > 1 ? Math.sqrt(squares / (count - 1)) : Number.NaN;
  const halfWidth95 = count > 1 ? (quantileOfT(0.975, count - 1) * deviation) / Math.sqrt(count) : Number.NaN;
  return { count, mean, deviation, halfWidth95 };
}

export interface PairedTest extends Sample {
  /** Of the differences' mean against zero; NaN for one pair. */
  readonly t: number;
  /** Two-sided. */
  readonly p: number;
}

/** Student's paired t-test of a − b, pair by pair. Equal pairs throughout: t = 0, p = 1. */
export function pairedTest(a: readonly number[], b: readonly number[]): PairedTest {
  if (a.length !== b.length) throw new RangeError(`${a.length} values cannot be paired with ${b.length}`);
  const sample = summarizeSample(a.map((value, i) => value - b[i]!));
  const error = sample.deviation / Math.sqrt(sample.count);
  const t =
    error === 0 ? (sample.mean === 0 ? 0 : Math.sign(sample.mean) * Number.POSITIVE_INFINITY) : sample.mean / error;
  return { ...sample, t, p: Number.isNaN(t) ? Number.NaN : 2 * (1 - distributionOfT(Math.abs(t), sample.count - 1)) };
}

/** P(T ≤ t) of Student's t with `freedom` degrees of freedom. */
export function distributionOfT(t: number, freedom: number): number {
  if (!Number.isFinite(t)) return t > 0 ? 1 : 0;
  const tail = incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
  return t >= 0 ? 1 - tail : tail;
}

/** The t with P(T ≤ t) = p, by bisection. */
export function quantileOfT(p: number, freedom: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`a quantile needs 0 < p < 1, got ${p}`);
  let [low, high] = [-1, 1];
  while (distributionOfT(low, freedom) > p) low *= 2;
  while (distributionOfT(high, freedom) < p) high *= 2;
  for (let i = 0; i < 200 && high - low > 1e-13 * Math.max(1, Math.abs(low)); i++) {
    const middle = (low + high) / 2;
    if (distributionOfT(middle, freedom) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The regularised incomplete beta function I_x(a, b): Lentz's continued fraction (Press et al., Numerical Recipes, section 6.4). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  // The fraction converges fast below the mean; above it the other tail is taken.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log(1 - x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  const awayFromZero = (value: number) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / awayFromZero(1 + even * d);
    c = awayFromZero(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / awayFromZero(1 + odd * d);
    c = awayFromZero(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * fraction;
}

/** ln Γ(x), x > 0: Stirling's series after the recurrence has brought x above 10. */
function logGamma(x: number): number {
  if (x < 10) return logGamma(x + 1) - Math.log(x);
  const y = 1 / (x * x);
  const series = (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}
