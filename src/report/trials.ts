import { short } from './format.ts';
import type { TrialFacts } from './runs.ts';

/** `lr 0.01, radius-extractor 0.3`. */
export const wordsOf = (point: TrialFacts['point']): string =>
  Object.entries(point)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? short(value) : value}`)
    .join(', ');
