/** The command on tiny images: files, going on after a cut, and what it refuses. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { marsgrad, type Outcome, Workspace } from './command.ts';

const workspace = new Workspace();
const out = workspace.path('study');
let arguments_: string[];
let whole: Outcome;

beforeAll(async () => {
  const dataset = await workspace.images('animals', ['ant', 'bee', 'cow', 'dog'], { train: 12, test: 4 });
  const grid = ['--widths', '4,8', '--channels', '2', '--hidden-layers', '1', '--train-images', '8', '--seeds', '1'];
  const training = ['--pretrain-images', '8', '--max-epochs', '3', '--batch-size', '4', '--starts', 'random,held'];
  arguments_ = ['bounds-study', '--dataset', dataset, '--image-size', '8', ...grid, ...training, '--device', 'cpu'];
  whole = await marsgrad([...arguments_, '--out', out, '--json']);
}, 120_000);
afterAll(() => workspace.remove());

const linesOf = (folder: string): string[] => readFileSync(join(folder, 'runs.ndjson'), 'utf8').trim().split('\n');
/** Without what a clock decides. */
const rowOf = (line: string): unknown => ({ ...JSON.parse(line), seconds: 0 });

describe('bounds-study', () => {
  it('trains every network of the grid, tells each, and writes table, numbers and picture', () => {
    expect(whole.code, whole.stderr).toBe(0);
    expect(whole.records.map(({ type }) => type)).toEqual([...Array(6).fill('network'), 'summary']);
    expect(linesOf(out)).toHaveLength(7);
    const facts = JSON.parse(readFileSync(join(out, 'bounds-study.json'), 'utf8'));
    expect(facts.groups).toHaveLength(6);
    expect(facts.growth[0].measured['gouk-mars']).toBeTypeOf('number');
    expect(readFileSync(join(out, 'bounds-study.csv'), 'utf8').split('\n')).toHaveLength(62);
    const svg = readFileSync(join(out, 'bounds-study.svg'), 'utf8');
    // One panel for each of two starts: the width of the fully connected networks is all that varies.
    expect(svg.match(/<svg /g)).toHaveLength(3);
    expect(svg).toContain('mlp, held');
    expect(svg).toContain('Gouk et al. 2021, theorem 2 (Frobenius)');
  });

  it('goes on where it was cut, to the same numbers, and repeats nothing', async () => {
    const lines = linesOf(out);
    const other = workspace.path('cut');
    mkdirSync(other);
    writeFileSync(join(other, 'runs.ndjson'), `${lines.slice(0, 4).join('\n')}\n`);
    appendFileSync(join(other, 'runs.ndjson'), lines[4]!.slice(0, 100));
    const again = await marsgrad([...arguments_, '--out', other, '--json']);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stderr).toContain('3 of 6 are done.');
    expect(again.records.filter(({ type }) => type === 'network')).toHaveLength(3);
    expect(linesOf(other).map(rowOf)).toEqual(lines.map(rowOf));
  });

  it('shows people the base and the growth', async () => {
    const { code, stdout } = await marsgrad([...arguments_, '--out', out]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^bound +norm +mlp 8 random +mlp 8 held +convnet 2 random +convnet 2 held$/m);
    expect(stdout).toMatch(
      /^Gouk et al\. 2021, theorem 2 +Frobenius +-?\d+\.\d\d \(\d\.\d\d\) +-?\d+\.\d\d \(\d\.\d\d\)$/m,
    );
    expect(stdout).not.toContain('Growth, convnet');
  });

  it('refuses a folder of other settings, and lists that are none', async () => {
    const other = await marsgrad([...arguments_, '--out', out, '--lr', '0.5']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('is of a study with other settings')]);
    const start = await marsgrad([...arguments_, '--starts', 'randon']);
    expect([start.code, start.stderr]).toEqual([2, expect.stringContaining('Did you mean "random"?')]);
    expect((await marsgrad([...arguments_, '--widths', '4,x'])).code).toBe(2);
    expect(existsSync('runs/bounds-study')).toBe(false);
  });
});
