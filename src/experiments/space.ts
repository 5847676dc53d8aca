/** Which hyper-parameters are searched, and between which values. Plain records: they can be stored beside the trials. */
import type { Random } from '../tensor/random.ts';

/**
 * uniform           on [low, high]
 * logUniform        e^u, u uniform on [ln low, ln high]; low > 0 (hyperopt's `loguniform` takes the logarithms)
 * quantizedUniform  the multiple of `step` that is nearest to a uniform value; an end that is no multiple may be passed by step/2
 * choice            one of the options, all alike
 */
export type Dimension =
  | { readonly kind: 'uniform' | 'logUniform'; readonly low: number; readonly high: number }
  | { readonly kind: 'quantizedUniform'; readonly low: number; readonly high: number; readonly step: number }
  | { readonly kind: 'choice'; readonly options: readonly (number | string | boolean)[] };

export type SearchSpace = Readonly<Record<string, Dimension>>;

type ValueOf<D extends Dimension> = D extends { readonly options: readonly (infer O)[] } ? O : number;

/** A value for every dimension. */
export type Point<S extends SearchSpace> = { readonly [Name in keyof S]: ValueOf<S[Name]> };

/**
 * The authors' spaces (their code, June 2020; the first version of February 2020 had e^0.5 … e^2.5 for radii), both with 20 evaluations:
 * radii of L2-PGM and MARS-PGM, coefficients of L2-SP, MARS-SP and DELTA.
 */
export const AUTHORS_SPACES = {
  radius: bothParts(0.5, 3.5),
  coefficient: bothParts(-10, -1),
  radiusFirstVersion: bothParts(0.5, 2.5),
} as const;

function bothParts(lowLogarithm: number, highLogarithm: number) {
  const dimension = { kind: 'logUniform', low: Math.exp(lowLogarithm), high: Math.exp(highLogarithm) } as const;
  return { extractor: dimension, classifier: dimension };
}

/** Throws where a dimension is empty or its limits are no limits. */
export function checkSpace(space: SearchSpace): void {
  if (Object.keys(space).length === 0) throw new RangeError('the search space has no dimension');
  for (const [name, dimension] of Object.entries(space)) {
    const refuse = (reason: string): never => {
      throw new RangeError(`the search space's ${name}: ${reason}`);
    };
    if (dimension.kind === 'choice') {
      if (new Set(dimension.options).size !== dimension.options.length) refuse('an option stands there twice');
      if (dimension.options.length === 0) refuse('there are no options');
      continue;
    }
    const { kind, low, high } = dimension;
    if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) refuse(`${low} to ${high} is no range`);
    if (kind === 'logUniform' && low <= 0) refuse(`a logarithmic range must begin above 0, not at ${low}`);
    if (kind === 'quantizedUniform' && !(dimension.step > 0)) refuse(`a step of ${dimension.step}; it must be > 0`);
  }
}

/** A value without regard to any trial. */
export function drawFrom(dimension: Dimension, random: Random): number | string | boolean {
  if (dimension.kind === 'choice') return dimension.options[random.integer(dimension.options.length)]!;
  const [low, high] = limitsOf(dimension);
  return fromScale(dimension, low + (high - low) * random.uniform());
}

type Numeric = Exclude<Dimension, { kind: 'choice' }>;

/** On the scale on which values are spread evenly: a logarithm, or the value itself. */
export const limitsOf = ({ kind, low, high }: Numeric): [low: number, high: number] =>
  kind === 'logUniform' ? [Math.log(low), Math.log(high)] : [low, high];

export const toScale = ({ kind }: Numeric, value: number): number => (kind === 'logUniform' ? Math.log(value) : value);

export function fromScale(dimension: Numeric, value: number): number {
  if (dimension.kind === 'logUniform') return Math.exp(value);
  return dimension.kind === 'quantizedUniform' ? Math.round(value / dimension.step) * dimension.step : value;
}
