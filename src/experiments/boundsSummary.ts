/** What the trained networks of the bounds study say together: every bound over seeds, and how it grows with what was varied. */
import { type GeneralizationBound, generalizationBounds } from '../regularizers/index.ts';
import { BOUNDS_SERIES, type BoundsGrid, type BoundsSeries, shapesOf } from './boundsGrid.ts';
import type { BoundsCase, BoundsRow, StudyStart } from './boundsStudy.ts';

/** One network of the grid over its seeds. */
export interface BoundsGroup extends Omit<BoundsCase, 'seed'> {
  readonly seeds: number;
  readonly parameters: number;
  /** Means. */
  readonly trainLoss: number;
  readonly testAccuracy: number;
  readonly spectralDistance: number;
  /** Largest MARS distance of a layer but the classifier, and of the classifier. */
  readonly marsDistance: number;
  readonly headMarsDistance: number;
  /** log₁₀ by bound; null where it is zero for some seed. */
  readonly bounds: Readonly<
    Record<string, { readonly mean: number; readonly low: number; readonly high: number } | null>
  >;
}

export interface Growth extends BoundsSeries {
  readonly start: StudyStart;
  /**
   * Slope of the mean log₁₀ over the series by least squares: against log₁₀ of width or examples (the exponent), or against the number of
   * hidden layers (decades per layer). Null where a bound is zero, or there is one point.
   */
  readonly measured: Readonly<Record<string, number | null>>;
  /**
   * Of a series in width: the same slope where all norms and distances are kept at those of the narrowest network, and only the sizes
   * grow, so that what is left stands in the formula itself.
   */
  readonly explicit: Readonly<Record<string, number | null>> | null;
}

export interface BoundsSummary {
  readonly names: readonly Omit<GeneralizationBound, 'log10'>[];
  readonly groups: readonly BoundsGroup[];
  readonly growth: readonly Growth[];
}

/** Throws where there is no row. */
export function summarizeBounds(rows: readonly BoundsRow[], grid: BoundsGrid): BoundsSummary {
  const [first] = rows;
  if (!first) throw new RangeError('summarizeBounds: there are no trained networks');
  const names = generalizationBounds(first.layers, first.data).map(({ log10, ...about }) => about);
  const ids = names.map(({ id }) => id);
  const groups = [...groupedBy(rows, nameOf).values()].map((own) => groupOf(own, ids));
  const growth = BOUNDS_SERIES.flatMap((series) =>
    grid.starts.map((start) => growthOf(series, start, grid, rows, ids)),
  );
  return { names, groups, growth };
}

export const nameOf = ({ network, width, hiddenLayers, examples, start }: Omit<BoundsCase, 'seed'>): string =>
  [network, width, hiddenLayers, examples, start].join();

function groupedBy<T>(values: readonly T[], key: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) groups.set(key(value), [...(groups.get(key(value)) ?? []), value]);
  return groups;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function groupOf(rows: readonly BoundsRow[], ids: readonly string[]): BoundsGroup {
  const { network, width, hiddenLayers, examples, start, parameters } = rows[0]!;
  const overSeeds = (read: (row: BoundsRow) => number) => mean(rows.map(read));
  const spread = (id: string) => {
    const logs = rows.flatMap(({ bounds }) => bounds[id] ?? []);
    return logs.length < rows.length ? null : { mean: mean(logs), low: Math.min(...logs), high: Math.max(...logs) };
  };
  return {
    ...{ network, width, hiddenLayers, examples, start, seeds: rows.length, parameters },
    trainLoss: overSeeds(({ trainLoss }) => trainLoss),
    testAccuracy: overSeeds(({ testAccuracy }) => testAccuracy),
    spectralDistance: overSeeds((row) => row.spectralDistance),
    marsDistance: overSeeds(({ layers }) => Math.max(...layers.slice(0, -1).map((layer) => layer.marsDistance))),
    headMarsDistance: overSeeds(({ layers }) => layers.at(-1)!.marsDistance),
    bounds: Object.fromEntries(ids.map((id) => [id, spread(id)])),
  };
}

function growthOf(
  series: BoundsSeries,
  start: StudyStart,
  grid: BoundsGrid,
  rows: readonly BoundsRow[],
  ids: readonly string[],
): Growth {
  const { network, variable } = series;
  const points = shapesOf(series, grid).flatMap((shape) => {
    const own = rows.filter((row) => nameOf(row) === nameOf({ ...shape, start }));
    const at = variable === 'hiddenLayers' ? shape.hiddenLayers : Math.log10(shape[variable]);
    return own.map((row) => ({ at, row }));
  });
  const slopes = (value: (row: BoundsRow, id: string) => number | null) =>
    Object.fromEntries(ids.map((id) => [id, slopeOf(points.map(({ at, row }) => ({ x: at, y: value(row, id) })))]));
  const narrowest = new Map(points.map(({ row }) => [row.seed, row] as const).reverse());
  const explicit = variable === 'width' ? slopes((row, id) => withNormsOf(narrowest.get(row.seed)!, row)[id]!) : null;
  return { network, variable, start, measured: slopes((row, id) => row.bounds[id] ?? null), explicit };
}

/** The bounds of a network of `sizes`' shape with the norms and distances of `norms`. */
function withNormsOf(norms: BoundsRow, sizes: BoundsRow): Record<string, number> {
  const layers = sizes.layers.map(({ inputs, outputs, parameters }, j) => ({
    ...norms.layers[j]!,
    ...{ inputs, outputs, parameters },
  }));
  return Object.fromEntries(
    generalizationBounds(layers, norms.data, { margin: norms.margin }).map(({ id, log10 }) => [id, log10]),
  );
}

/** Least squares; null where a value is missing or x does not vary. */
function slopeOf(points: readonly { readonly x: number; readonly y: number | null }[]): number | null {
  const known = points.flatMap(({ x, y }) => (y === null || !Number.isFinite(y) ? [] : [{ x, y }]));
  if (known.length < points.length || known.length < 2) return null;
  const [meanX, meanY] = [mean(known.map(({ x }) => x)), mean(known.map(({ y }) => y))];
  const squares = known.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  if (squares === 0) return null;
  return known.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / squares;
}

/** One line per network and bound, for spreadsheets. */
export function boundsCsv({ names, groups }: BoundsSummary): string {
  const facts = [
    'network',
    'width',
    'hiddenLayers',
    'examples',
    'start',
    'seeds',
    'trainLoss',
    'testAccuracy',
  ] as const;
  const heading = [...facts, 'bound', 'norm', 'log10Mean', 'log10Low', 'log10High'];
  const lines = groups.flatMap((group) =>
    names.map(({ id, norm }) => {
      const bound = group.bounds[id];
      const values = bound ? [bound.mean, bound.low, bound.high] : ['', '', ''];
      return [...facts.map((fact) => group[fact]), id, norm, ...values].join(',');
    }),
  );
  return `${[heading.join(','), ...lines].join('\n')}\n`;
}
