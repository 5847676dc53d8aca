/** Studies: `sweep` and `tune` end with the same numbers whatever kills them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PACKAGE_ROOT } from '../../src/cli/package.ts';
import { marsgrad, Workspace } from './command.ts';

const workspace = new Workspace();
let base: Record<string, unknown>;
const RADII = { 'radius-extractor': '0.1..1', 'radius-classifier': '1..3' };

beforeAll(async () => {
  const dataset = await workspace.images('animals', ['cat', 'dog'], { train: 6, val: 4, test: 4 });
  base = {
    network: 'resnet20',
    'random-init': true,
    dataset,
    'image-size': 8,
    'batch-size': 4,
    epochs: 3,
    'log-every': 0,
    'evaluate-every': 0,
  };
}, 60_000);
afterAll(() => workspace.remove());

function recipe(name: string, parts: object): string {
  const path = workspace.path(`${name}.json`);
  writeFileSync(path, JSON.stringify({ base, ...parts }));
  return path;
}

/** Every file of a study that says what came out. */
function results(folder: string): Record<string, unknown> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const lines = (path: string) =>
    readFileSync(join(folder, path), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  return Object.fromEntries(
    files.flatMap((path): [string, unknown][] => {
      if (path.endsWith('weights.safetensors')) return [[path, readFileSync(join(folder, path)).toString('base64')]];
      if (path.endsWith('trials.ndjson')) return [[path, lines(path).map(({ seconds: _, ...trial }) => trial)]];
      if (path.endsWith('best.json')) return [[path, readFileSync(join(folder, path), 'utf8')]];
      return [];
    }),
  );
}

const STUDY = {
  tasks: { one: { 'train-per-class': 4 }, fast: { 'train-per-class': 4, 'tuned-like': 'one', 'lr-factor': 2 } },
  methods: { none: {}, 'mars-pgm': { space: RADII } },
  seeds: [0, 1],
  tune: { 'max-evals': 3, 'startup-trials': 2, seed: 7, 'evaluate-every': 1, space: { lr: '0.01..0.1' } },
};

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

/** In a process of its own, as `npx marsgrad` would be; resolves when it ended. */
function inProcess(args: readonly string[]): { child: ChildProcess; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [join(PACKAGE_ROOT, 'dist/cli.js'), ...args], { stdio: 'ignore' });
  return { child, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

const epochsLogged = (log: string): number[] =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{"type":"epoch"'))
        .map((line) => JSON.parse(line).epoch)
    : [];

/** Kills the command as soon as `hasCome`; returns false where it ended before. */
async function killWhen(args: readonly string[], hasCome: () => boolean): Promise<boolean> {
  const { child, ended } = inProcess(args);
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  while (!isOver && !hasCome()) await new Promise((resolve) => setTimeout(resolve, 5));
  const wasKilled = !isOver && child.kill('SIGKILL');
  await ended;
  return wasKilled;
}

describe('a kill', () => {
  const lengthy = { ...STUDY, tasks: { one: { 'train-per-class': 6, epochs: 16 } }, seeds: [0] };

  it.each([
    ['in this process', '1'],
    ['with two workers', '2'],
  ])(
    'of sweep %s loses the current epoch at most, and changes no bit',
    async (_, jobs) => {
      const path = recipe(`lengthy-${jobs}`, lengthy);
      const argumentsFor = (out: string) => ['sweep', path, '--out', out, '--device', 'cpu', '--jobs', jobs];
      const whole = workspace.path(`whole-${jobs}`);
      expect(await inProcess(argumentsFor(whole)).ended).toBe(0);

      const out = workspace.path(`killed-${jobs}`);
      const log = (place: string) => join(out, place, 'log.ndjson');
      // Once within a trial, once within a run that counts.
      for (const place of ['one/mars-pgm/tune/trial-001', 'one/none/seed-0']) {
        const wasKilled = await killWhen(argumentsFor(out), () => epochsLogged(log(place)).length >= 5);
        expect(wasKilled, `${place} was over before it was killed`).toBe(true);
        // Workers end with their parent.
        await new Promise((resolve) => setTimeout(resolve, 300));
        const before = epochsLogged(log(place));
        expect(before.length).toBeGreaterThanOrEqual(5);
        expect(before.length).toBeLessThan(16);
        await new Promise((resolve) => setTimeout(resolve, 300));
        expect(epochsLogged(log(place))).toEqual(before);
      }
      expect(await inProcess(argumentsFor(out)).ended).toBe(0);
      expect(epochsLogged(log('one/none/seed-0'))).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
      expect(results(out)).toEqual(results(whole));
    },
    240_000,
  );

  it('of tune does neither', async () => {
    const { 'evaluate-every': _, ...options } = base;
    const given = Object.entries(options).flatMap(([name, value]) =>
      value === true ? [`--${name}`] : [`--${name}`, String(value)],
    );
    const argumentsFor = (out: string) => [
      'tune',
      ...given,
      ...['--epochs', '30', '--space', 'lr=0.01..0.1', '--max-evals', '3', '--device', 'cpu', '--out', out],
    ];
    const [whole, out] = [workspace.path('tune-whole'), workspace.path('tune-killed')];
    expect(await inProcess(argumentsFor(whole)).ended).toBe(0);
    const log = join(out, 'trial-001/log.ndjson');
    expect(await killWhen(argumentsFor(out), () => epochsLogged(log).length >= 5)).toBe(true);
    expect(await inProcess(argumentsFor(out)).ended).toBe(0);
    expect(results(out)).toEqual(results(whole));
  }, 120_000);
});

describe('tune', () => {
  it('shows every trial and the options of the best; a table without space or budget is the authors’', async () => {
    const out = workspace.path('tuned');
    const given = Object.entries(base).flatMap(([name, value]) =>
      value === true ? [`--${name}`] : [`--${name}`, String(value)],
    );
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
