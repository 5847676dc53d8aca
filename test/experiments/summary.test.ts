import { describe, expect, test } from 'vitest';
import { formatSummary, type RunFacts, summarizeRuns } from '../../src/experiments/summary.ts';

const run = (method: string, seed: number, accuracy: number, settings = '', task = 'photos'): RunFacts => ({
  task,
  method,
  settings,
  seed,
  accuracy,
});
/** The main job's (docs/results/main-job.md), the held runs first and in no order. */
const held = [73.86, 73.38, 71.32, 71.8, 72.32].map((value, seed) => run('mars-pgm', seed, value / 100));
const free = [70.98, 72.26, 68.02, 71.56, 70.36].map((value, seed) => run('none', seed, value / 100));
const runs = [...held.reverse(), ...free];

describe('summarizeRuns', () => {
  test('gives rows in the authors’ order, each over its seeds, and the gain on the same seeds', () => {
    const [table] = summarizeRuns(runs);
    expect(table!.rows.map(({ method, seeds }) => [method, seeds])).toEqual([
      ['none', [0, 1, 2, 3, 4]],
      ['mars-pgm', [0, 1, 2, 3, 4]],
    ]);
    const [none, mars] = table!.rows;
    expect(none!.gain).toBeNull();
    expect(mars!.mean).toBeCloseTo(0.72536, 10);
    expect(mars!.gain!.t).toBeCloseTo(3.4, 1);
    expect(mars!.gain!.p).toBeCloseTo(0.027, 2);
  });

  test('pairs what both have, keeps tasks and settings apart, and refuses a seed twice', () => {
    const tables = summarizeRuns([...runs, run('ftp', 1, 0.8), run('ftp', 9, 0.1), run('none', 0, 0.5, '', 'leaves')]);
    expect(tables.map(({ task }) => task)).toEqual(['photos', 'leaves']);
    const ftp = tables[0]!.rows.at(-1)!;
    expect([ftp.method, ftp.count, ftp.gain!.count]).toEqual(['ftp', 2, 1]);
    expect(summarizeRuns([run('none', 0, 1, 'lr 1'), run('none', 0, 1, 'lr 2')])[0]!.rows).toHaveLength(2);
    expect(() => summarizeRuns([run('none', 0, 1), run('none', 0, 0.5)])).toThrow('two runs of none have the seed 0');
  });
});

describe('formatSummary', () => {
  const tables = summarizeRuns(runs);

  test('text and Markdown', () => {
    expect(formatSummary(tables, 'text')).toMatch(
      /^photos\nmethod .*\nnone +5 +70\.64 ± 1\.62 .*\nmars-pgm +5 +72\.54 ± 1\.06 +71\.21 … 73\.86 +\+1\.90 ± 1\.25 +0\.02\d\d$/,
    );
    expect(formatSummary(tables, 'markdown')).toContain('| mars-pgm |  | 5 | 72.54 ± 1.06 |');
  });

  test("LaTeX in the authors' form, the best in bold", () => {
    expect(formatSummary(tables, 'latex')).toContain(
      'none & 70.64$\\pm$1.62 \\\\\nmars-pgm & \\textbf{72.54$\\pm$1.06} \\\\',
    );
  });

  test('CSV of plain numbers; what cannot be said is empty', () => {
    const [header, first, second] = formatSummary(tables, 'csv').split('\n');
    expect(header!.split(',')).toHaveLength(10);
    expect(first).toMatch(/^photos,none,,5,0\.706\d*,0\.016\d*,0\.02\d*,,,$/);
    expect(
      second!
        .split(',')
        .slice(-3)
        .every((cell) => Number.isFinite(Number(cell)) && cell !== ''),
    ).toBe(true);
    expect(formatSummary(summarizeRuns([run('none', 0, 0.5, 'lr 1, momentum 0')]), 'csv')).toContain(
      'photos,none,"lr 1, momentum 0",1,0.5,,,,,',
    );
  });
});
