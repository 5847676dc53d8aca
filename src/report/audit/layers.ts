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

/** Columns of the same name in two checks are two columns, each with its check's title. */
export function layerNumbers(checks: readonly CheckResult[], distances: readonly LayerDistance[]): LayerTable {
  const layers = new Map<string, Map<string, Value>>();
  const columns = new Set<string>();
  const put = (layer: string, column: string, value: Value) => {
    const row = layers.get(layer) ?? new Map<string, Value>();
    layers.set(layer, row.set(column, merged(row.get(column), value)));
    columns.add(column);
  };
  for (const { layer, kind, mars, frobenius, radius, ratio } of distances) {
    put(layer, 'kind', kind);
    put(layer, 'distance (MARS)', mars);
    put(layer, 'distance (Frobenius)', frobenius);
    if (radius !== null) put(layer, 'radius', radius);
    if (ratio !== null) put(layer, 'distance/radius, as the run has it', ratio);
  }
  const rows = checks.map(({ title, data }) => ({ title, layers: pageData(data).layers ?? [] }));
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
  const isNumber = (column: string) => [...layers.values()].some((row) => typeof row.get(column) === 'number');
  const titles: Column[] = [{ title: 'layer' }, ...columns.map((title) => ({ title, isNumber: isNumber(title) }))];
  const rows = [...layers].map(([layer, row]) => [
    layer,
    ...columns.map((column) => numberText(row.get(column), RATIO.test(column) ? 8 : 6)),
  ]);
  return section(
    'layers',
    'Layer by layer',
    html`<p>A layer's distance is how far its weights moved from the pre-trained ones: the largest row sum of absolute changes (MARS), or the root
of the sum of squares (Frobenius). A radius is what a constraint allows. Errors are relative to the same number computed in 64-bit arithmetic;
where several steps were recorded, the largest is shown.</p>`,
    dataTable({ caption: `${layers.size} layers`, columns: titles, rows, isTall: layers.size > 24 }),
  );
}
