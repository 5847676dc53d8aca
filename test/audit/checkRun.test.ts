/** docs/check_run.py, which has nothing of this project, on real runs and on damaged ones. Needs python3 with NumPy, which nothing else does. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../src/io/index.ts';
import { marsgrad, Workspace } from '../cli/command.ts';

const CHECKER = join(import.meta.dirname, '../../docs/check_run.py');
const hasNumPy = spawnSync('python3', ['-c', 'import numpy']).status === 0;
if (!hasNumPy) process.stderr.write('docs/check_run.py is not tested: there is no python3 with NumPy here.\n');

const RUNS = {
  none: [],
  mars: ['--method', 'mars-pgm', '--radius-extractor', '0.5', '--radius-classifier', '2', '--nesterov'],
  l1: [
    ...[
      '--method',
      'mars-pgm',
      '--projection',
      'row-l1-exact',
      '--radius-extractor',
      '0.5',
      '--radius-classifier',
      '2',
    ],
  ],
  l2: ['--method', 'l2-pgm', '--radius-extractor', '0.2', '--radius-classifier', '1', '--weight-decay', '0.01'],
} as const;
type Name = keyof typeof RUNS;

describe.skipIf(!hasNumPy)('the checker in Python', () => {
  const workspace = new Workspace();
  const check = (run: string) => {
    const { status, stdout, stderr } = spawnSync('python3', [CHECKER, workspace.path(run)], { encoding: 'utf8' });
    return { status, text: stdout + stderr, failed: stdout.split('\n').filter((line) => line.startsWith('FAIL')) };
  };

  beforeAll(async () => {
    const images = await workspace.images('animals', ['cat', 'dog'], { train: 6, test: 4 });
    const tiny = ['--dataset', images, '--image-size', '8', '--batch-size', '4', '--device', 'cpu', '--json'];
    const train = async (args: readonly string[]) => {
      const { code, stderr } = await marsgrad([...args, ...tiny]);
      expect(code, stderr).toBe(0);
    };
    const source = workspace.path('source');
    await train(['train', '--network', 'resnet20', '--epochs', '1', '--lr', '0.01', '--out', source]);
    const from = ['--network', 'resnet20', '--weights', join(source, 'weights.safetensors'), '--epochs', '2'];
    for (const [name, options] of Object.entries(RUNS))
      await train([
        'finetune',
        ...from,
        '--lr',
        '0.05',
        '--record',
        'first,last',
        ...options,
        '--out',
        workspace.path(name),
      ]);
  }, 120_000);
  afterAll(() => workspace.remove());

  it.each(Object.keys(RUNS))('passes an honest run: %s', (name) => {
    const { status, text } = check(name);
    expect(status, text).toBe(0);
    expect(text.match(/^pass/gm)).toHaveLength(7);
    expect(text).toContain('pass  step 6: 59 parameters are where formula and projection put them');
  });

  const damaged = (run: Name, damage: (path: (name: string) => string) => void) => {
    const copy = `damaged-${run}`;
    cpSync(workspace.path(run), workspace.path(copy), { recursive: true });
    damage((name) => workspace.path(copy, name));
    return check(copy);
  };
  const change = (path: string, tensor: string, how: (values: Float32Array) => void) => {
    const { state, metadata } = readSafetensors(readFileSync(path));
    how(state.get(tensor)!.data as Float32Array);
    writeFileSync(path, writeSafetensors(state, metadata));
  };

  it('finds a weight that was changed', () => {
    const { status, failed } = damaged('mars', (path) =>
      change(path('weights.safetensors'), 'conv1.weight', (values) => values.fill(values[0]! * (1 + 2 ** -22), 0, 1)),
    );
    expect(status).toBe(1);
    expect(failed).toEqual([expect.stringContaining('FAIL  files: weights.safetensors is not the file of the run')]);
  });

  it('finds a line of the log that was edited', () => {
    const { status, failed } = damaged('none', (path) => {
      const text = readFileSync(path('log.ndjson'), 'utf8');
      writeFileSync(path('log.ndjson'), text.replace(/"accuracy":[\d.]+/, '"accuracy":0.9'));
    });
    expect(status).toBe(1);
    expect(failed[0]).toMatch(/^FAIL {2}log: line \d+ does not follow/);
  });

  /** All digests as they would be if the run had written these files. */
  const recomputeDigests = (path: (name: string) => string) => {
    const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
    let previous = sha256(readFileSync(path('config.json')));
    const lines = readFileSync(path('log.ndjson'), 'utf8').trimEnd().split('\n');
    const mended = lines.map((line) => {
      const record = JSON.parse(line);
      const digest = (name: string) => sha256(readFileSync(path(join(record.folder ?? '.', name))));
      if (record.files)
        record.files = Object.fromEntries(Object.keys(record.files).map((name) => [name, digest(name)]));
      const text = JSON.stringify({ ...record, previous });
      previous = sha256(text);
      return `${text}\n`;
    });
    writeFileSync(path('log.ndjson'), mended.join(''));
  };

  it.each(['mars', 'l1', 'l2'] as const)(
    'finds a row out of its ball though all digests were recomputed: %s',
    (run) => {
      const { status, failed } = damaged(run, (path) => {
        change(path('weights.safetensors'), 'linear.weight', (values) => {
          for (const [i, value] of values.entries()) values[i] = value * 1.0001;
        });
        recomputeDigests(path);
      });
      expect(status).toBe(1);
      expect(failed).toEqual([expect.stringMatching(/^FAIL {2}distances: .*linear, row \d: distance\/radius 1\.0001/)]);
    },
  );

  it('finds an update without its momentum though all digests were recomputed', () => {
    const { status, failed } = damaged('none', (path) => {
      const file = path('record/step-000006/state.safetensors');
      const { state } = readSafetensors(readFileSync(file));
      const [before, gradient] = ['before/model', 'gradient'].map((part) => state.get(`${part}/conv1.weight`)!.data);
      const { learningRate } = JSON.parse(readFileSync(path('record/step-000006/step.json'), 'utf8'));
      change(file, 'after/model/conv1.weight', (values) => {
        for (const i of values.keys()) values[i] = Number(before![i]) - learningRate * Number(gradient![i]);
      });
      recomputeDigests(path);
    });
    expect(status).toBe(1);
    expect(failed).toEqual([expect.stringMatching(/^FAIL {2}step 6: conv1\.weight: /)]);
  });
});
