/** The command on tiny runs: what is multiplied, where it comes from, going on after Ctrl-C, and divergence. */
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { marsgrad, type Outcome, Workspace } from './command.ts';

const workspace = new Workspace();
const out = workspace.path('whole');
const METHODS = {
  none: {},
  'mars-pgm': { 'radius-extractor': 0.2, 'radius-classifier': 2 },
  'l2-sp': { 'reg-extractor': 0.5, 'reg-classifier': 0.25 },
};
const FLAGS = ['--factors', '0.01,1,10000', '--seeds', '0,1', '--device', 'cpu', '--threads', '1'];
let base: Record<string, unknown>;
let path: string;
let whole: Outcome;

function recipe(name: string, parts: object): string {
  const file = workspace.path(`${name}.json`);
  writeFileSync(file, JSON.stringify({ base, tasks: { few: { 'train-per-class': 4 } }, methods: METHODS, ...parts }));
  return file;
}

beforeAll(async () => {
  const dataset = await workspace.images('animals', ['cat', 'dog'], { train: 6, val: 4, test: 4 });
  const training = { 'batch-size': 4, epochs: 2, lr: 0.1, 'log-every': 0, 'evaluate-every': 0 };
  base = { network: 'resnet20', 'random-init': true, dataset, 'image-size': 8, ...training };
  path = recipe('study', {});
  whole = await marsgrad(['sensitivity', path, '--out', out, ...FLAGS, '--json']);
}, 120_000);
afterAll(() => workspace.remove());

interface Curves {
  readonly curves: { method: string; points: { factor: number; accuracies: (number | null)[]; sample: unknown }[] }[];
  readonly strengths: { method: string; extractor: number; classifier: number }[];
}
const resultsOf = (folder: string): Curves => JSON.parse(readFileSync(join(folder, 'sensitivity.json'), 'utf8'));
const settingsOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')).settings;

describe('sensitivity', () => {
  it('multiplies both strengths of every method that has some, and nothing else', () => {
    expect(whole.code, whole.stderr).toBe(0);
    const { curves, strengths } = resultsOf(out);
    expect(curves.map(({ method }) => method)).toEqual(['mars-pgm', 'l2-sp']);
    expect(strengths[0]).toMatchObject({ method: 'mars-pgm', extractor: 0.2, classifier: 2 });
    const one = settingsOf(join(out, 'mars-pgm/factor-1/seed-1'));
    const small = settingsOf(join(out, 'mars-pgm/factor-0.01/seed-1'));
    expect(small.regularization).toEqual({ ...one.regularization, extractor: 0.002, classifier: 0.02 });
    expect({ ...small, regularization: null }).toEqual({ ...one, regularization: null });
    expect(settingsOf(join(out, 'l2-sp/factor-10000/seed-0')).regularization.classifier).toBe(2500);
    expect(existsSync(join(out, 'none'))).toBe(false);
  });

  it('has a point for every factor, and none where the training diverged', () => {
    const [mars, l2] = resultsOf(out).curves;
    expect(mars!.points.map(({ factor }) => factor)).toEqual([0.01, 1, 10000]);
    for (const { accuracies, sample } of mars!.points) {
      expect(accuracies.every((accuracy) => accuracy !== null && accuracy >= 0 && accuracy <= 1)).toBe(true);
      expect(sample).toMatchObject({ count: 2 });
    }
    // A coefficient of 5,000 at a learning rate of 0.1 throws the weights about.
    expect(l2!.points[2]).toMatchObject({ accuracies: [null, null], sample: null });
    expect(whole.stderr).toMatch(/l2-sp\/factor-10000\/seed-0: diverged: /);
    const csv = readFileSync(join(out, 'sensitivity.csv'), 'utf8');
    expect(csv).toMatch(/^l2-sp,10000,1,$/m);
    const svg = readFileSync(join(out, 'sensitivity.svg'), 'utf8');
    expect(svg).toContain('constraints: radius');
    expect(svg).toContain('penalties: coefficient');
  });

  it('goes on after Ctrl-C to the same numbers, and repeats nothing', async () => {
    const other = workspace.path('cut');
    const command = ['sensitivity', path, '--out', other, ...FLAGS, '--json'];
    const stopped = await marsgrad(command, (line) => {
      if (line.includes('"factor":1,')) process.emit('SIGINT');
    });
    expect([stopped.code, stopped.stderr]).toEqual([130, expect.stringContaining('The same command goes on')]);
    const done = join(other, 'mars-pgm/factor-0.01/seed-0/log.ndjson');
    const { mtimeMs } = statSync(done);
    expect((await marsgrad(command)).code).toBe(0);
    expect(statSync(done).mtimeMs).toBe(mtimeMs);
    expect(resultsOf(other).curves).toEqual(resultsOf(out).curves);
  });

  it('tells people a table', async () => {
    rmSync(join(out, 'l2-sp/factor-1/seed-0'), { recursive: true });
    const { code, stdout, stderr } = await marsgrad(['sensitivity', path, '--out', out, ...FLAGS]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^factor +mars-pgm +l2-sp$/m);
    expect(stdout).toMatch(/^10000 +\d+\.\d ± \d+\.\d +diverged$/m);
    expect(stderr).toMatch(/l2-sp\/factor-0\.01\/seed-0: .* done before/);
    expect(stderr).toMatch(/l2-sp\/factor-1\/seed-0: .* \d+ s/);
  });

  it("takes a sweep's tuned values, and says what is not tuned", async () => {
    const methods = { none: {}, 'mars-pgm': { space: { 'radius-extractor': '0.1..1', 'radius-classifier': '1..3' } } };
    const tune = { 'max-evals': 1, 'startup-trials': 1, space: { lr: '0.01..0.1' } };
    const study = workspace.path('tuned');
    const flags = ['--device', 'cpu', '--threads', '1'];
    const sweep = await marsgrad(['sweep', recipe('tuned', { methods, tune, seeds: [3] }), '--out', study, ...flags]);
    expect(sweep.code, sweep.stderr).toBe(0);
    const { point } = JSON.parse(readFileSync(join(study, 'few/mars-pgm/tune/best.json'), 'utf8'));
    const from = join(study, 'few');
    const target = workspace.path('from');
    const options = ['--out', target, '--factors', '0.5', '--evaluate-on', 'val', ...flags];
    const outcome = await marsgrad(['sensitivity', from, ...options]);
    expect(outcome.code, outcome.stderr).toBe(0);
    const settings = settingsOf(join(target, 'mars-pgm/factor-0.5/seed-3'));
    expect(settings.regularization.extractor).toBe(point['radius-extractor'] / 2);
    expect(settings.optimizer.learningRate).toBe(point.lr);
    expect(settings.evaluateOn).toBe('val');
    rmSync(join(from, 'mars-pgm/tune/best.json'));
    const untuned = await marsgrad(['sensitivity', from, ...options]);
    expect([untuned.code, untuned.stderr]).toEqual([2, expect.stringContaining('mars-pgm is not tuned yet')]);
  });

  it('refuses what cannot be multiplied or found', async () => {
    const refused = async (...args: string[]) => {
      const { code, stderr } = await marsgrad(['sensitivity', ...args, '--out', workspace.path('none')]);
      expect(code).toBe(2);
      return stderr;
    };
    expect(await refused(workspace.path('nowhere'))).toContain('There is no file and no folder');
    expect(await refused(workspace.root)).toContain('is no task of a sweep');
    expect(await refused(path, '--methods', 'none')).toContain('no method has a radius or a coefficient');
    expect(await refused(path, '--methods', 'delta')).toContain('has no method "delta"');
    expect(await refused(path, '--task', 'many')).toContain('has no task "many"; it has few');
    expect(await refused(path, '--factors', '0')).toContain('It must be a number');
    const two = recipe('two', { tasks: { a: {}, b: {} } });
    expect(await refused(two)).toContain('has several tasks: name one with --task a | b');
    const tuned = recipe('untuned', { tune: { 'max-evals': 1, space: { lr: '0.01..0.1' } } });
    expect(await refused(tuned)).toContain('is to be tuned first');
  });
});
