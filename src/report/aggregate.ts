/** Runs gathered into tasks and series: a series is a row of a task's table, over its seeds. */
import { type RunsRow, type SummaryTable, summarizeRuns } from '../experiments/index.ts';
import { METHODS, type Method } from '../train/settings.ts';
import { type ReportRun, type SearchFacts, type Study, seedOf } from './runs.ts';

export interface Series {
  /** A class name of the marks in pictures. */
  readonly key: string;
  readonly title: string;
  readonly method: string;
  /** By rising seed; incomplete ones too. */
  readonly runs: readonly ReportRun[];
  /** Null until a run is complete. */
  readonly row: RunsRow | null;
}

export interface Task {
  /** For ids. */
  readonly key: string;
  readonly name: string;
  /** '' where there is one task only. */
  readonly shortName: string;
  /** What is the same for its runs, in words. */
  readonly conditions: string;
  /** In the order of the table, those without a row last. */
  readonly series: readonly Series[];
  /** Null until a run is complete. */
  readonly table: SummaryTable | null;
  readonly searches: readonly SearchFacts[];
}

const rowKey = ({ method, settings }: { readonly method: string; readonly settings: string }): string =>
  JSON.stringify([method, settings]);

/** Of all runs but those of a sensitivity study, whose rows would be factors. */
export function tasksOf({ runs, searches }: Study): Task[] {
  const plain = runs.filter(({ factor }) => factor === null);
  const complete = plain.filter(({ summary }) => summary !== null);
  const tables = summarizeRuns(
    complete.map((run) => ({
      task: run.task,
      method: run.method,
      settings: run.settings,
      seed: seedOf(run),
      accuracy: run.summary!.test.top1,
    })),
  );
  const names = [...new Set([...tables.map(({ task }) => task), ...plain.map(({ task }) => task)])];
  const strays = searches.map(({ task }) => task).filter((task) => !names.includes(task));
  const all = [...names, ...new Set(strays)];
  return all.map((name, i) => {
    const table = tables.find(({ task }) => task === name) ?? null;
    const own = plain.filter(({ task }) => task === name);
    const isShort = name.length <= 24 && !name.includes(',');
    return {
      key: `task-${i}`,
      name,
      shortName: all.length === 1 ? '' : isShort ? name : `task ${String.fromCharCode(65 + (i % 26))}`,
      conditions: own[0]?.conditions ?? '',
      table,
      series: seriesOf(own, table?.rows ?? []),
      searches: searches.filter(({ task }) => task === name).sort((a, b) => placeOf(a.method) - placeOf(b.method)),
    };
  });
}

/** As the command line lists them; others after them. */
export const placeOf = (method: string): number => {
  const place = METHODS.indexOf(method as Method);
  return place < 0 ? METHODS.length : place;
};

function seriesOf(runs: readonly ReportRun[], rows: readonly RunsRow[]): Series[] {
  const keys = [...new Set([...rows.map(rowKey), ...runs.map(rowKey)])];
  const methods = new Set([...rows, ...runs].map(({ method }) => method));
  return keys.map((key, i) => {
    const own = runs.filter((run) => rowKey(run) === key).sort((a, b) => seedOf(a) - seedOf(b));
    const { method, settings } = own[0]!;
    // Where the method tells a row, its settings stand in the table alone.
    const title = methods.size === keys.length ? method : [method, settings].filter(Boolean).join(', ');
    return { key: `s${i}`, title, method, runs: own, row: rows.find((row) => rowKey(row) === key) ?? null };
  });
}

/** The series of the largest mean accuracy; undefined until a run is complete. */
export function bestOf({ series }: Task): Series | undefined {
  const done = series.filter(({ row }) => row !== null);
  return done.reduce<Series | undefined>(
    (best, one) => (best && best.row!.mean >= one.row!.mean ? best : one),
    undefined,
  );
}

/** A mean over seeds at one place of a curve, with the smallest and largest value. */
export interface BandPoint {
  readonly x: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** Per x, over all curves that reach it. */
export function bandOf(curves: readonly (readonly { readonly x: number; readonly y: number }[])[]): BandPoint[] {
  const values = new Map<number, number[]>();
  for (const { x, y } of curves.flat()) values.set(x, [...(values.get(x) ?? []), y]);
  return [...values]
    .sort(([a], [b]) => a - b)
    .map(([x, ys]) => ({
      x,
      mean: ys.reduce((sum, y) => sum + y, 0) / ys.length,
      low: Math.min(...ys),
      high: Math.max(...ys),
      count: ys.length,
    }));
}

/** At most `count` of the values, evenly spread, the first and the last among them. */
export function thinned<T>(values: readonly T[], count: number): readonly T[] {
  if (values.length <= count) return values;
  return Array.from({ length: count }, (_, i) => values[Math.round((i * (values.length - 1)) / (count - 1))]!);
}
