/**
 * Adaptive Parzen windows (Bergstra, Bardenet, Bengio & Kégl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011, section 4.2,
 * with hyperopt's rules for widths and weights): the density of a set of observed values on [low, high], as a mixture of normal
 * distributions cut off at the ends.
 *
 *   centres μ   the observations, and the prior's (low + high)/2, in order
 *   widths σ    the larger distance to the two neighbours, within (high − low)/min(100, 1 + number of windows) … high − low; the prior's: high − low;
 *               that of a single observation: (high − low)/2
 *   weights w   1 for each of the latest 25 observations, older ones on a ramp down to 1/N for the oldest; the prior's own
 *
 *   p(x) = Σᵢ wᵢ·φ((x − μᵢ)/σᵢ)/σᵢ / Σᵢ wᵢ·(Φ((high − μᵢ)/σᵢ) − Φ((low − μᵢ)/σᵢ))      on [low, high]
 */
import type { Random } from '../tensor/random.ts';

export interface ParzenWindows {
  readonly low: number;
  readonly high: number;
  /** Of sum 1. */
  readonly weights: readonly number[];
  /** In rising order. */
  readonly centres: readonly number[];
  readonly widths: readonly number[];
  /** The share of the untruncated mixture on [low, high]. */
  readonly mass: number;
}

/** So many of the latest observations count in full. */
export const REMEMBERED = 25;

/** `observations`: the oldest first. */
export function parzenWindows(
  observations: readonly number[],
  low: number,
  high: number,
  priorWeight: number,
): ParzenWindows {
  const weighed = observations.map((centre, i) => ({
    centre,
    weight: forgottenWeight(i, observations.length),
    isPrior: false,
  }));
  weighed.push({ centre: (low + high) / 2, weight: priorWeight, isPrior: true });
  // The prior before an observation at the same place.
  weighed.sort((a, b) => a.centre - b.centre || Number(b.isPrior) - Number(a.isPrior));
  const total = weighed.reduce((sum, { weight }) => sum + weight, 0);
  const weights = weighed.map(({ weight }) => weight / total);
  const centres = weighed.map(({ centre }) => centre);
  const range = high - low;
  const narrowest = range / Math.min(100, 1 + centres.length);
  const widths = weighed.map(({ isPrior, centre }, i) => {
    if (isPrior) return range;
    if (observations.length === 1) return range / 2;
    const below = centre - (centres[i - 1] ?? centre);
    const above = (centres[i + 1] ?? centre) - centre;
    return Math.min(range, Math.max(narrowest, below, above));
  });
  const share = (i: number) =>
    normalCdf((high - centres[i]!) / widths[i]!) - normalCdf((low - centres[i]!) / widths[i]!);
  const mass = weights.reduce((sum, weight, i) => sum + weight * share(i), 0);
  return { low, high, weights, centres, widths, mass };
}

/** Of observation i of `count`, the oldest being 0. */
export function forgottenWeight(i: number, count: number): number {
  const old = count - REMEMBERED;
  if (i >= old) return 1;
  return old === 1 ? 1 / count : 1 / count + ((1 - 1 / count) * i) / (old - 1);
}

/** A value on [low, high]: of the whole mixture, drawn again where it lies outside. */
export function drawWindow({ low, high, weights, centres, widths }: ParzenWindows, random: Random): number {
  for (;;) {
    const i = drawIndex(weights, random);
    const value = centres[i]! + widths[i]! * random.normal();
    if (value >= low && value <= high) return value;
  }
}

/** An index by weights of sum 1. */
export function drawIndex(weights: readonly number[], random: Random): number {
  let left = random.uniform();
  const found = weights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return found < 0 ? weights.length - 1 : found;
}

/** ln p(x). */
export function logDensity({ weights, centres, widths, mass }: ParzenWindows, x: number): number {
  const logs = weights.map((weight, i) => {
    const z = (x - centres[i]!) / widths[i]!;
    return Math.log(weight / (Math.sqrt(2 * Math.PI) * widths[i]!)) - (z * z) / 2;
  });
  const largest = logs.reduce((most, log) => Math.max(most, log), Number.NEGATIVE_INFINITY);
  return largest + Math.log(logs.reduce((sum, log) => sum + Math.exp(log - largest), 0) / mass);
}

/** ln of the probability of [x − step/2, x + step/2], as far as it lies on [low, high]. */
export function logProbability(
  { low, high, weights, centres, widths, mass }: ParzenWindows,
  x: number,
  step: number,
): number {
  const [from, to] = [Math.max(low, x - step / 2), Math.min(high, x + step / 2)];
  const parts = weights.map((weight, i) => {
    const at = (place: number) => normalCdf((place - centres[i]!) / widths[i]!);
    return weight * (at(to) - at(from));
  });
  return Math.log(
    Math.max(
      Number.MIN_VALUE,
      parts.reduce((sum, part) => sum + part, 0),
    ) / mass,
  );
}

/**
 * Φ(z), to within 1e-15: ½ + φ(z)·(z + z³/3 + z⁵/(3·5) + …), whose terms all have one sign (Marsaglia 2004, "Evaluating the normal
 * distribution"); beyond 8 it is 0 or 1.
 */
export function normalCdf(z: number): number {
  if (z < -8) return 0;
  if (z > 8) return 1;
  let [sum, term] = [z, z];
  for (let odd = 3; Math.abs(term) > 1e-17 * Math.abs(sum); odd += 2) {
    term *= (z * z) / odd;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-z * z) / 2)) / Math.sqrt(2 * Math.PI);
}
