/** Studies: `sweep` and `tune` end with the same numbers whatever kills them. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { marsgrad, Workspace } from './command.ts';
import { asArguments, killedIsAsWhole, results, STUDY, tinyBase, writeRecipe } from './study.ts';

const workspace = new Workspace();
let base: Awaited<ReturnType<typeof tinyBase>>;

beforeAll(async () => {
  base = await tinyBase(workspace);
}, 60_000);
afterAll(() => workspace.remove());

const recipe = (name: string, parts: object): string => writeRecipe(workspace, name, { base, ...parts });

describe('sweep', () => {
  it('tunes every method, trains at the point found, tells each run, and skips what is done', async () => {
    const path = recipe('study', STUDY);
    const out = workspace.path('study');
    const first = await marsgrad(['sweep', path, '--out', out, '--device', 'cpu', '--threads', '1', '--json']);
    expect(first.code, first.stderr).toBe(0);
    const runs = first.records.filter(({ type }) => type === 'run');
    expect(runs).toHaveLength(8);
    expect(first.records.filter(({ type }) => type === 'trial')).toHaveLength(6);
    const { point } = JSON.parse(readFileSync(join(out, 'one/mars-pgm/tune/best.json'), 'utf8'));
    const config = (run: string) => JSON.parse(readFileSync(join(out, run, 'config.json'), 'utf8')).settings;
    expect(config('one/mars-pgm/seed-1')).toMatchObject({
      seed: 1,
      evaluateOn: 'test',
      optimizer: { learningRate: point.lr },
      regularization: { method: 'mars-pgm', extractor: point['radius-extractor'] },
    });
    expect(config('fast/mars-pgm/seed-1').optimizer.learningRate).toBe(2 * point.lr);
    expect(existsSync(join(out, 'fast/none/tune'))).toBe(false);
    const { tables } = first.records.at(-1) as {
      tables: { task: string; rows: { method: string; seeds: number[] }[] }[];
    };
    expect(tables.map(({ task, rows }) => [task, rows.map(({ method, seeds }) => [method, seeds])])).toEqual([
      [
        'one',
        [
          ['none', [0, 1]],
          ['mars-pgm', [0, 1]],
        ],
      ],
      [
        'fast',
        [
          ['none', [0, 1]],
          ['mars-pgm', [0, 1]],
        ],
      ],
    ]);

    const before = results(out);
    const again = await marsgrad(['sweep', path, '--out', out, '--device', 'cpu', '--threads', '1', '--json']);
    expect(again.records.filter(({ type }) => type === 'run').map(({ status }) => status)).toEqual(
      Array(8).fill('found'),
    );
    expect(again.records.filter(({ type }) => type === 'trial')).toHaveLength(0);
    expect(results(out)).toEqual(before);
  }, 120_000);

  it('says before it begins what is wrong with a recipe, and where', async () => {
    const refused = async (parts: object) => {
      const path = recipe('bad', { ...STUDY, ...parts });
      const { code, stderr } = await marsgrad(['sweep', path, '--out', workspace.path('bad')]);
      expect(code).toBe(2);
      return stderr;
    };
    expect(await refused({ methods: { 'mars-pgmm': {} } })).toMatch(/one, mars-pgmm: .*mars-pgm/);
    expect(await refused({ methods: { none: { 'learning-rate': 1 } } })).toMatch(/one, none: .*--learning-rate/);
    expect(await refused({ methods: { none: { out: 'x' } } })).toMatch(/"out" belongs on the command line/);
    expect(await refused({ methods: { l2: { method: 'l2-pgm' } } })).toMatch(/one, l2: .*--radius-extractor/);
  });

  it('goes on after a diverged run, names it, and ends with an error', async () => {
    const path = recipe('diverging', {
      tasks: { wild: { lr: 1e30 } },
      methods: { none: {}, 'linear-probe': { lr: 0.01 } },
    });
    const { code, stderr, records } = await marsgrad([
      'sweep',
      path,
      '--out',
      workspace.path('diverging'),
      '--device',
      'cpu',
      '--json',
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/wild\/none seed 0: The loss is/);
    expect(records.filter(({ type }) => type === 'run')).toMatchObject([{ place: 'wild/linear-probe' }]);
  });
});

describe('a kill', () => {
  it('of sweep and its workers loses the current epoch at most, and changes no bit', async () => {
    const path = recipe('lengthy', {
      tasks: { one: { 'train-per-class': 6, epochs: 10 } },
      methods: { none: {} },
      seeds: [0],
      tune: { ...STUDY.tune, 'max-evals': 2 },
    });
    await killedIsAsWhole(
      workspace,
      ['sweep', path, '--device', 'cpu', '--jobs', '2'],
      ['one/none/tune/trial-001', 'one/none/seed-0'],
    );
  }, 240_000);
});

describe('tune', () => {
  it('shows every trial and the options of the best; a table without space or budget is the authors’', async () => {
    const out = workspace.path('tuned');
    const given = asArguments(base);
    const { code, stdout, stderr } = await marsgrad([
      ...[
        'tune',
        ...given,
        '--epochs',
        '1',
        '--method',
        'mars-pgm',
        '--max-evals',
        '2',
        '--device',
        'cpu',
        '--out',
        out,
      ],
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/trial +reg-extractor +reg-classifier +validation +status/);
    expect(stdout).toMatch(/Best: \d+\.\d\d % with --reg-extractor [\d.]+ --reg-classifier [\d.]+/);
    const { space } = JSON.parse(readFileSync(join(out, 'search.json'), 'utf8'));
    expect(space['reg-extractor']).toEqual({ kind: 'logUniform', low: Math.exp(0.5), high: Math.exp(3.5) });
    rmSync(join(out, 'best.json'));
    const other = await marsgrad(['tune', ...given, '--space', 'lr=0.1..1', '--device', 'cpu', '--out', out]);
    expect(other.stderr).toMatch(/another search/);
  }, 60_000);

  it('refuses what is no search', async () => {
    const refused = async (...args: string[]) => {
      const { code, stderr } = await marsgrad([
        'tune',
        '--dataset',
        'x',
        '--network',
        'resnet20',
        '--random-init',
        ...args,
      ]);
      expect(code).toBe(2);
      return stderr;
    };
    expect(await refused('--test')).toMatch(/leave out --test/);
    expect(await refused('--space', 'lr')).toMatch(/a name and a range/);
    expect(await refused('--space', 'rate=1..2')).toMatch(/no option --rate/);
    expect(await refused('--space', 'lr=5')).toMatch(/none of 0\.001\.\.0\.1/);
  });
});
