/** One row per layer, with every number that a check has about it. */
import { pageData } from '../../audit/pageData.ts';
import type { CheckResult } from '../../audit/verdict.ts';
import type { LayerDistance } from '../../regularizers/index.ts';
import { type Column, dataTable, type Html, html, section } from '../page/index.ts';
import { numberText } from './checks.ts';

/** Whether it is above 1 shows in the seventh digit. */
const RATIO = /^distance ?\/ ?radius/;

type Value = number | string | null;

/** Of several steps the larger number, the last word. */
function merged(before: Value | undefined, now: Value): Value {
  if (typeof before === 'number' && typeof now === 'number') return Math.max(before, now);
  return now ?? before ?? null;
}

interface LayerTable {
  readonly columns: readonly string[];
  /** By layer, in the network's order. */
  readonly layers: ReadonlyMap<string, ReadonlyMap<string, Value>>;
}

/**
 * Distances are the recomputed ones where there are some, else those that the run says. Columns of the same name in two checks are two columns,
 * each with its check's title.
 */
export function layerNumbers(checks: readonly CheckResult[], distances: readonly LayerDistance[]): LayerTable {
  const layers = new Map<string, Map<string, Value>>();
  const columns = new Set<string>();
  const put = (layer: string, column: string, value: Value) => {
    const row = layers.get(layer) ?? new Map<string, Value>();
    layers.set(layer, row.set(column, merged(row.get(column), value)));
    columns.add(column);
  };
  const rows = checks.map(({ title, data }) => ({ title, layers: pageData(data).layers ?? [] }));
  const isRecomputed = rows.some(({ layers: own }) => own.some(({ values }) => 'MARS distance' in values));
  for (const { layer, kind, mars, frobenius, radius } of distances) {
    put(layer, 'kind', kind);
    if (!isRecomputed) put(layer, 'MARS distance (not checked)', mars);
    if (!isRecomputed) put(layer, 'Frobenius distance (not checked)', frobenius);
    if (radius !== null) put(layer, 'radius', radius);
  }
  const owners = new Map<string, Set<string>>();
  for (const { title, layers: own } of rows)
    for (const column of own.flatMap(({ values }) => Object.keys(values)))
      owners.set(column, (owners.get(column) ?? new Set()).add(title));
  for (const { title, layers: own } of rows)
    for (const { layer, values } of own)
      for (const [column, value] of Object.entries(values))
        put(layer, owners.get(column)!.size > 1 ? `${column} (${title})` : column, value);
  return { columns: [...columns], layers };
}

export function layersSection(checks: readonly CheckResult[], distances: readonly LayerDistance[]): Html | null {
  const { columns, layers } = layerNumbers(checks, distances);
  if (layers.size === 0) return null;
  const known = new Set(distances.map(({ layer }) => layer));
  const isLayer = (name: string) => known.size === 0 || known.has(name);
  const tables = [
    tableOf(columns, layers, isLayer, (count) => `${count} layers`),
    tableOf(
      columns,
      layers,
      (name) => !isLayer(name),
      () => 'Groups of layers, taken together',
    ),
  ];
  return section(
    'layers',
    'Layer by layer',
    html`<p>A layer's distance is how far its weights moved from the pre-trained ones: the largest row sum of absolute changes (MARS), or the root
of the sum of squares (Frobenius). A radius is what a constraint allows. Errors are relative to the same number computed in 64-bit arithmetic;
where several steps were recorded, the largest is shown.</p>`,
    html`<div class="layers">${tables}</div>`,
  );
}

/** Of the rows that are `wanted`, with the columns that they have anything in. */
function tableOf(
  columns: readonly string[],
  layers: LayerTable['layers'],
  wanted: (name: string) => boolean,
  caption: (count: number) => string,
): Html | null {
  const chosen = [...layers].filter(([name]) => wanted(name));
  if (chosen.length === 0) return null;
  const used = columns.filter((column) => chosen.some(([, row]) => (row.get(column) ?? null) !== null));
  const isNumber = (column: string) => chosen.some(([, row]) => typeof row.get(column) === 'number');
  const titles: Column[] = [{ title: 'layer' }, ...used.map((title) => ({ title, isNumber: isNumber(title) }))];
  const rows = chosen.map(([layer, row]) => [
    layer,
    ...used.map((column) => numberText(row.get(column), RATIO.test(column) ? 8 : 6)),
  ]);
  return dataTable({ caption: caption(rows.length), columns: titles, rows, isTall: rows.length > 24 });
}

/** Long titles stand on several lines. */
export const LAYERS_STYLE = `
.layers thead th { white-space: normal; max-width: 8.5rem; } @media screen { .layers .tall { max-height: 32rem; } } .layers .scroll { margin-bottom: 1.5rem; }
`;
