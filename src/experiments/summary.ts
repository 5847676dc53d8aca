/** Runs gathered into a table: a row for each way to train, over its seeds, and how it compares with the first row on the same seeds. */
import { type PairedTest, pairedTest, type Sample, summarizeSample } from './statistics.ts';

/** What a table needs to know of a run. */
export interface RunFacts {
  /** Of the table: runs of different tasks are not compared. */
  readonly task: string;
  readonly method: string;
  /** The row's other settings, in words: '' where all runs of the method have the same. */
  readonly settings: string;
  readonly seed: number;
  /** 0 … 1. */
  readonly accuracy: number;
}

export interface RunsRow extends Sample {
  readonly method: string;
  readonly settings: string;
  readonly seeds: readonly number[];
  /** Against the first row, over the seeds that both have; null for that row, and where they share none. */
  readonly gain: PairedTest | null;
}

export interface SummaryTable {
  readonly task: string;
  readonly rows: readonly RunsRow[];
}

/** The paper's authors' order of rows (their summarize.sh), then what they have not. */
const ORDER = ['none', 'delta', 'l2-sp', 'mars-sp', 'l2-pgm', 'mars-pgm'];
const rank = (method: string): number => (ORDER.includes(method) ? ORDER.indexOf(method) : ORDER.length);

/** One table a task. Throws where one row has a seed twice. */
export function summarizeRuns(runs: readonly RunFacts[]): SummaryTable[] {
  return [...groupBy(runs, ({ task }) => task)].map(([task, own]) => {
    const groups = [...groupBy(own, ({ method, settings }) => JSON.stringify([method, settings])).values()].sort(
      (a, b) => rank(a[0]!.method) - rank(b[0]!.method),
    );
    for (const group of groups) refuseTwice(group);
    return { task, rows: groups.map((group, i) => rowOf(group, i === 0 ? null : groups[0]!)) };
  });
}

function groupBy<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    groups.set(key, [...(groups.get(key) ?? []), value]);
  }
  return groups;
}

function refuseTwice(group: readonly RunFacts[]): void {
  const seen = new Set<number>();
  for (const { seed, method, settings } of group) {
    if (seen.has(seed))
      throw new Error(
        `two runs of ${[method, settings].filter(Boolean).join(', ')} have the seed ${seed}: leave one of them out`,
      );
    seen.add(seed);
  }
}

function rowOf(group: readonly RunFacts[], first: readonly RunFacts[] | null): RunsRow {
  const sorted = [...group].sort((a, b) => a.seed - b.seed);
  const { method, settings } = sorted[0]!;
  const baseline = new Map(first?.map(({ seed, accuracy }) => [seed, accuracy]));
  const paired = sorted.filter(({ seed }) => baseline.has(seed));
  return {
    method,
    settings,
    seeds: sorted.map(({ seed }) => seed),
    ...summarizeSample(sorted.map(({ accuracy }) => accuracy)),
    gain:
      paired.length === 0
        ? null
        : pairedTest(
            paired.map(({ accuracy }) => accuracy),
            paired.map(({ seed }) => baseline.get(seed)!),
          ),
  };
}

export const TABLE_FORMATS = ['text', 'markdown', 'csv', 'latex'] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];

/** Titles of `summaryCells`. */
export const SUMMARY_HEADER = ['method', 'settings', 'runs', 'accuracy %', '95 % interval', 'gain', 'p'];
const percent = (share: number): string => (100 * share).toFixed(2);
const known = (value: number, text: string): string => (Number.isFinite(value) ? text : '');

/** A row for readers: texts, in per cent; '' for what cannot be said. */
export function summaryCells({ method, settings, count, mean, deviation, halfWidth95, gain }: RunsRow): string[] {
  const low = percent(mean - halfWidth95);
  const sign = gain && gain.mean >= 0 ? '+' : '';
  return [
    method,
    settings,
    String(count),
    `${percent(mean)}${known(deviation, ` ± ${percent(deviation)}`)}`,
    known(halfWidth95, `${low} … ${percent(mean + halfWidth95)}`),
    gain ? `${sign}${percent(gain.mean)}${known(gain.deviation, ` ± ${percent(gain.deviation)}`)}` : '',
    gain ? known(gain.p, gain.p < 0.0001 ? '< 0.0001' : gain.p.toFixed(4)) : '',
  ];
}

/** CSV has numbers alone, shares of 1; the other forms are for readers, in per cent. */
export function formatSummary(tables: readonly SummaryTable[], format: TableFormat): string {
  if (format === 'csv') return csv(tables);
  return tables.map((table) => (format === 'latex' ? latex(table) : text(table, format))).join('\n\n');
}

function text({ task, rows }: SummaryTable, format: 'text' | 'markdown'): string {
  const cells = [SUMMARY_HEADER, ...rows.map(summaryCells)];
  if (format === 'markdown') {
    const line = (row: readonly string[]) => `| ${row.join(' | ')} |`;
    return [`${task}\n`, line(SUMMARY_HEADER), line(SUMMARY_HEADER.map(() => '---')), ...cells.slice(1).map(line)].join(
      '\n',
    );
  }
  const widths = SUMMARY_HEADER.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ');
  return [task, ...cells.map((row) => line(row).trimEnd())].join('\n');
}

/** The authors' form, mean$\pm$deviation; the best mean is bold. */
function latex({ task, rows }: SummaryTable): string {
  const best = Math.max(...rows.map(({ mean }) => mean));
  const lines = rows.map(({ method, settings, mean, deviation }) => {
    const value = `${percent(mean)}${known(deviation, `$\\pm$${percent(deviation)}`)}`;
    const name = [method, settings]
      .filter(Boolean)
      .join(', ')
      .replace(/[_%&#]/g, '\\$&');
    return `${name} & ${mean === best ? `\\textbf{${value}}` : value} \\\\`;
  });
  return [`% ${task}`, '\\begin{tabular}{lr}', 'method & accuracy (\\%) \\\\', ...lines, '\\end{tabular}'].join('\n');
}

function csv(tables: readonly SummaryTable[]): string {
  const quoted = (value: string) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const number = (value: number | undefined) => (value !== undefined && Number.isFinite(value) ? String(value) : '');
  const lines = tables.flatMap(({ task, rows }) =>
    rows.map(({ method, settings, count, mean, deviation, halfWidth95, gain }) =>
      [task, method, settings, String(count), mean, deviation, halfWidth95, gain?.mean, gain?.t, gain?.p]
        .map((value) => (typeof value === 'string' ? quoted(value) : number(value)))
        .join(','),
    ),
  );
  return ['task,method,settings,runs,mean,deviation,half_width_95,gain,t,p', ...lines].join('\n');
}
