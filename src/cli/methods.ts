/** The ways to fine-tune, as the command line names them: what each takes, and what a first try looks like. */

import { METHODS, type Method, REG_NORMS, type RegNorm } from '../train/settings.ts';

export { METHODS, type Method, REG_NORMS, type RegNorm };

/** What a number given with a method means there; null: the method has none. */
export type Strength = 'radius' | 'coefficient' | null;

interface MethodFacts {
  /** One line of `--help`. */
  readonly about: string;
  /** On the pre-trained layers and on the classifier. */
  readonly extractor: Strength;
  readonly classifier: Strength;
  /** Said where a number is missing. */
  readonly start?: string;
}

const RADII_HINT = '1 and 3 for a ResNet-20, 7 and 20 for a ResNet-101';
const COEFFICIENTS_HINT = '0.01 and 0.01';

export const METHOD_FACTS = {
  none: { about: 'all weights are free', extractor: null, classifier: null },
  'linear-probe': { about: 'the classifier alone', extractor: null, classifier: null },
  'lp-ft': { about: 'the classifier alone for --probe-epochs, then all', extractor: null, classifier: null },
  'l2-sp': {
    about: 'penalty on the squared L2 distance',
    extractor: 'coefficient',
    classifier: 'coefficient',
    start: COEFFICIENTS_HINT,
  },
  'mars-sp': {
    about: 'penalty on the MARS distance',
    extractor: 'coefficient',
    classifier: 'coefficient',
    start: '0.001 and 0.01',
  },
  delta: {
    about: 'penalty on how far feature maps move',
    extractor: 'coefficient',
    classifier: 'coefficient',
    start: COEFFICIENTS_HINT,
  },
  bss: {
    about: "penalty on the smallest singular value of a batch's features",
    extractor: 'coefficient',
    classifier: null,
    start: '0.001',
  },
  'l2-pgm': {
    about: 'projected onto a ball in the Frobenius norm',
    extractor: 'radius',
    classifier: 'radius',
    start: RADII_HINT,
  },
  'mars-pgm': {
    about: 'projected onto a ball in the MARS norm',
    extractor: 'radius',
    classifier: 'radius',
    start: RADII_HINT,
  },
  ftp: { about: 'MARS radii learned from the training gradient', extractor: null, classifier: null },
  tpgm: { about: 'MARS radii learned from the validation images, after training', extractor: null, classifier: null },
  spd: {
    about: 'decay towards the pre-trained weights where a step goes back',
    extractor: 'coefficient',
    classifier: null,
    start: '1',
  },
} as const satisfies Record<Method, MethodFacts>;

export const factsOf = (method: Method): MethodFacts => METHOD_FACTS[method];

/** The authors' names (`--reg-method`, `--reg-norm`) for five of the methods. */
export const REG_METHODS = ['constraint', 'penalty', 'delta'] as const;
export type RegMethod = (typeof REG_METHODS)[number];

export function methodOf(method: RegMethod, norm: RegNorm): Method {
  if (method === 'delta') return 'delta';
  if (method === 'constraint') return norm === 'inf-op' ? 'mars-pgm' : 'l2-pgm';
  return norm === 'inf-op' ? 'mars-sp' : 'l2-sp';
}

/** The inverse, for the authors' CSV: the free run counts as a constraint without a bound. Undefined for methods they have not. */
export function authorsNames(method: Method): { readonly method: RegMethod; readonly norm: RegNorm } | undefined {
  if (method === 'none') return { method: 'constraint', norm: 'inf-op' };
  for (const name of REG_METHODS) {
    for (const norm of REG_NORMS) if (methodOf(name, norm) === method) return { method: name, norm };
  }
  return undefined;
}
