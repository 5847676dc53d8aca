/** Which colour, dash and symbol a method has: the same in every picture of every report. */
import type { Series } from './aggregate.ts';

/** How a series is drawn. */
export interface Look {
  /** A CSS colour, such as `var(--series-1)`. */
  readonly color: string;
  /** SVG's stroke-dasharray; 'none': a line. */
  readonly dash: string;
  readonly symbol: (typeof SYMBOLS)[number];
}

const SYMBOLS = [
  'circle',
  'square',
  'diamond',
  'triangle',
  'cross',
  'star',
  'wye',
  'times',
  'plus',
  'asterisk',
] as const;
const DASHES = ['none', '6 3', '2 2', '8 3 2 3'] as const;
const color = (number: number): string => `var(--series-${number})`;

/** Constraints are drawn in full lines, penalties in dashes, and what does neither in dots. */
const METHODS: Readonly<Record<string, Look>> = {
  none: { color: 'var(--ink)', dash: '2 2', symbol: 'circle' },
  'linear-probe': { color: 'var(--muted)', dash: '2 2', symbol: 'square' },
  'lp-ft': { color: color(4), dash: '8 3 2 3', symbol: 'triangle' },
  'l2-sp': { color: color(2), dash: '6 3', symbol: 'diamond' },
  'mars-sp': { color: color(8), dash: '6 3', symbol: 'square' },
  delta: { color: color(7), dash: '6 3', symbol: 'triangle' },
  bss: { color: color(6), dash: '6 3', symbol: 'cross' },
  spd: { color: color(5), dash: '6 3', symbol: 'wye' },
  'l2-pgm': { color: color(3), dash: 'none', symbol: 'diamond' },
  'mars-pgm': { color: color(1), dash: 'none', symbol: 'circle' },
  ftp: { color: color(6), dash: 'none', symbol: 'star' },
  tpgm: { color: color(5), dash: 'none', symbol: 'times' },
};

/** By method where each series has one of its own, or else by place. */
export function looksOf(series: readonly Series[]): ReadonlyMap<Series, Look> {
  const methods = new Set(series.map(({ method }) => method));
  const byMethod = methods.size === series.length;
  return new Map(series.map((one, i) => [one, (byMethod && METHODS[one.method]) || lookAt(i)]));
}

export const lookOfMethod = (method: string, place: number): Look => METHODS[method] ?? lookAt(place);

const lookAt = (i: number): Look => ({
  color: color(1 + (i % 8)),
  dash: DASHES[Math.floor(i / 8) % DASHES.length]!,
  symbol: SYMBOLS[i % SYMBOLS.length]!,
});
