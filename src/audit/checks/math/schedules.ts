/**
 * The learning rate of every step, from the settings of a run alone and written anew: nothing of `src/optim` is called. Steps count
 * from 0; an epoch has `stepsPerEpoch` of them; the warm-up comes first, and what follows counts its own steps from 0.
 *
 *   warm-up     η(0)·(s + 1)/(W + 1) over the first W steps
 *   constant    η
 *   step        η·f^⌊s/(every·stepsPerEpoch)⌋
 *   cosine      final + ½(η − final)(1 + cos πs/T)                            Loshchilov & Hutter 2017
 *   one-cycle   half a cosine from η/25 up to η over 30 %, half a cosine down to η/250,000     Smith & Topin 2018
 */

export interface ScheduleFacts {
  readonly name: 'constant' | 'step' | 'cosine' | 'one-cycle';
  readonly learningRate: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  /** In epochs. */
  readonly warmupEpochs: number;
  /** Of cosine. */
  readonly final: number;
  /** Of step; the first in epochs. */
  readonly decayEvery: number;
  readonly decayFactor: number;
}

const halfCosine = (from: number, to: number, t: number): number =>
  from + (to - from) * Math.sin((Math.PI * t) / 2) ** 2;

/** η of step `step` (from 0). */
export function learningRateAt(facts: ScheduleFacts, step: number): number {
  const warmup = Math.round(facts.warmupEpochs * facts.stepsPerEpoch);
  if (step < warmup) return (afterWarmup(facts, warmup, 0) * (step + 1)) / (warmup + 1);
  return afterWarmup(facts, warmup, step - warmup);
}

function afterWarmup(facts: ScheduleFacts, warmup: number, step: number): number {
  const { learningRate: peak, stepsPerEpoch } = facts;
  const total = facts.epochs * stepsPerEpoch - warmup;
  switch (facts.name) {
    case 'constant':
      return peak;
    case 'step':
      return peak * facts.decayFactor ** Math.floor(step / (facts.decayEvery * stepsPerEpoch));
    case 'cosine':
      return halfCosine(peak, facts.final, Math.min(1, step / total));
    case 'one-cycle': {
      const start = peak / 25;
      const top = 0.3 * total - 1;
      if (step <= top) return top > 0 ? halfCosine(start, peak, step / top) : peak;
      return halfCosine(peak, start / 1e4, Math.min(1, (step - top) / (total - 1 - top)));
    }
  }
}

/** Equal up to the rounding of float64 formulas that are arranged otherwise: 10⁻¹² of the largest rate of the schedule. */
export const isSameRate = (got: number, expected: number, peak: number): boolean =>
  Math.abs(got - expected) <= 1e-12 * Math.max(peak, Math.abs(expected));

/**
 * By how many steps a schedule is off: the shift, at most `reach` steps either way, under which all these rates are right; null
 * where there is none. Rates that do not change tell nothing.
 */
export function shiftOf(
  facts: ScheduleFacts,
  logged: readonly { readonly step: number; readonly learningRate: number }[],
  reach = 3,
): number | null {
  const fits = (shift: number) =>
    logged.every(({ step, learningRate }) => {
      const at = step + shift;
      return at >= 0 && isSameRate(learningRate, learningRateAt(facts, at), facts.learningRate);
    });
  for (let shift = 1; shift <= reach; shift++) {
    if (fits(shift)) return shift;
    if (fits(-shift)) return -shift;
  }
  return null;
}
