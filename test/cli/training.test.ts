/** Whole commands on tiny images: what they write, and that it is the same whatever interrupts them. */
import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors } from '../../src/io/index.ts';
import { marsgrad, type Outcome, Workspace } from './command.ts';

const workspace = new Workspace();
const TINY = ['--image-size', '8', '--batch-size', '4', '--device', 'cpu', '--json'];
const MARS = ['--method', 'mars-pgm', '--radius-extractor', '0.5', '--radius-classifier', '2'];
let animals: string;
let source: string;
let whole: Outcome;

/** Fine-tunes the source weights on the animals into the run folder `name`. */
function finetune(name: string, options: readonly string[] = [], onRecord?: (line: string) => void) {
  const args = [
    'finetune',
    '--network',
    'resnet20',
    '--weights',
    source,
    '--dataset',
    animals,
    '--epochs',
    '2',
    '--lr',
    '0.05',
  ];
  return marsgrad([...args, ...TINY, ...MARS, '--out', workspace.path(name), ...options], onRecord);
}

const bytesOf = (run: string) => readFileSync(workspace.path(run, 'weights.safetensors'));
const jsonOf = (run: string, file: string) => JSON.parse(readFileSync(workspace.path(run, file), 'utf8'));

beforeAll(async () => {
  const colours = await workspace.images('colours', ['red', 'green', 'blue'], { train: 4, test: 2 });
  animals = await workspace.images('animals', ['cat', 'dog'], { train: 11, test: 3 });
  const out = workspace.path('source');
  const { code, stderr } = await marsgrad([
    'train',
    '--network',
    'resnet20',
    '--dataset',
    colours,
    '--epochs',
    '1',
    '--lr',
    '0.01',
    '--out',
    out,
    ...TINY,
  ]);
  expect(code, stderr).toBe(0);
  source = workspace.path('source', 'weights.safetensors');
  whole = await finetune('whole', ['--log-every', '4']);
}, 120_000);
afterAll(() => workspace.remove());

describe('finetune', () => {
  it('writes the run folder, and one JSON object per line with the summary last', () => {
    const { code, stderr, records } = whole;
    expect(code, stderr).toBe(0);
    expect(records.map(({ type, step }) => [type, step])).toEqual([
      ['step', 4],
      ['epoch', 6],
      ['step', 8],
      ['step', 12],
      ['epoch', 12],
      ['summary', undefined],
    ]);
    expect(records.at(-1)).toMatchObject({ steps: 12, test: { images: 6 } });
    expect(readdirSync(workspace.path('whole')).sort()).toEqual([
      'config.json',
      'distances.json',
      'log.ndjson',
      'predictions.safetensors',
      'record',
      'weights.safetensors',
    ]);
    const config = jsonOf('whole', 'config.json');
    expect(config).toMatchObject({
      settings: { network: 'resnet20', regularization: { method: 'mars-pgm', extractor: 0.5 }, epochs: 2, seed: 0 },
      device: { kind: 'cpu' },
      inputs: { weights: { path: source }, dataset: { classes: ['cat', 'dog'], trainImages: 22, testImages: 6 } },
    });
    expect(config.inputs.weights.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(config.inputs.dataset.contentDigest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('keeps every layer within its radius after every step', () => {
    const distances: { layer: string; isHead: boolean; mars: number; radius: number }[] = jsonOf(
      'whole',
      'distances.json',
    );
    expect(distances.length).toBe(39);
    for (const { layer, isHead, mars, radius } of distances) {
      expect(radius).toBe(isHead ? 2 : 0.5);
      expect(mars / radius, layer).toBeLessThanOrEqual(1 + 1e-5);
    }
    expect(Math.max(...distances.map(({ mars, radius }) => mars / radius))).toBeGreaterThan(0.999);
    const log = readFileSync(workspace.path('whole', 'log.ndjson'), 'utf8');
    const ratios = log.match(/"worstRatio":[\d.]+/g)!.map((text) => Number(text.split(':')[1]));
    expect(ratios.length).toBeGreaterThan(4);
    expect(Math.max(...ratios)).toBeLessThanOrEqual(1 + 1e-5);
  });

  it('chains the lines of its log from the config to the digests of the results', async () => {
    const digest = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');
    const file = (name: string) => readFileSync(workspace.path('whole', name));
    const lines = file('log.ndjson').toString().trimEnd().split('\n');
    const before = [digest(file('config.json')), ...lines.map(digest)];
    expect(lines.map((line) => JSON.parse(line).previous)).toEqual(before.slice(0, -1));
    const records = lines.map((line) => JSON.parse(line));
    expect(records.map(({ type }) => type).filter((type) => !/^steps?$/.test(type))).toEqual([
      ...['record', 'epoch', 'distances', 'record', 'epoch', 'distances', 'summary'],
    ]);
    for (const [name, sha256] of Object.entries(records.at(-1).files)) expect(digest(file(name))).toBe(sha256);
    const last = jsonOf('whole', 'distances.json').map(({ layer, mars, frobenius }: never) => ({
      layer,
      mars,
      frobenius,
    }));
    expect(records.at(-2).layers).toEqual(last);
    const { state } = readSafetensors(file('predictions.safetensors'));
    const [logits, labels] = [state.get('logits')!, state.get('labels')!];
    expect([logits.shape, [...(labels.data as Int32Array)]]).toEqual([
      [6, 2],
      [0, 0, 0, 1, 1, 1],
    ]);
    const right = [...labels.data].filter(
      (label, n) => Number(logits.data[2 * n + Number(label)]) >= Number(logits.data[2 * n + 1 - Number(label)]),
    );
    expect(right.length / 6).toBe(records.at(-1).test.top1);
  });

  it('stores network, classes and preprocessing with the weights', () => {
    const { metadata, state } = readSafetensors(bytesOf('whole'));
    expect(metadata).toMatchObject({ network: 'resnet20', classes: '["cat","dog"]' });
    expect(JSON.parse(metadata.preprocessing!)).toMatchObject({ size: 8, mean: [0.485, 0.456, 0.406] });
    expect(state.get('linear.weight')!.shape).toEqual([2, 64]);
    expect(state.get('layer1.0.bn1.running_var')!.shape).toEqual([16]);
  });

  it('writes the same bytes when run twice', async () => {
    const { code, stderr } = await finetune('again', ['--threads', '1']);
    expect(code, stderr).toBe(0);
    expect(bytesOf('again').equals(bytesOf('whole'))).toBe(true);
    expect(jsonOf('again', 'distances.json')).toEqual(jsonOf('whole', 'distances.json'));
  });

  it('is interrupted with exit code 130, says how to go on, and then writes the same bytes', async () => {
    const stopped = await finetune('stopped', ['--log-every', '1'], (line) => {
      if (line.includes('"step":2,')) process.emit('SIGINT');
    });
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toContain(`marsgrad finetune --resume ${workspace.path('stopped')}`);
    expect(existsSync(workspace.path('stopped', 'weights.safetensors'))).toBe(false);
    const resumed = await marsgrad(['finetune', '--resume', workspace.path('stopped'), '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(bytesOf('stopped').equals(bytesOf('whole'))).toBe(true);
    expect(existsSync(workspace.path('stopped', 'checkpoint.safetensors'))).toBe(false);
  });

  it('that was killed goes on from the last whole epoch, with its log', async () => {
    const [killed, running] = [workspace.path('killed'), workspace.path('running')];
    // What a kill right after step 8 leaves behind: the checkpoint of the first epoch, and half a line.
    await finetune('running', ['--log-every', '1'], (line) => {
      if (line.includes('"step":8,')) cpSync(running, killed, { recursive: true });
    });
    const log = join(killed, 'log.ndjson');
    appendFileSync(log, '{"type":"step","st');
    const resumed = await marsgrad(['finetune', '--resume', killed, '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
    expect(resumed.stderr).toContain('after step 6 (whole epochs: 1)');
    expect(bytesOf('killed').equals(bytesOf('whole'))).toBe(true);
    const steps = readFileSync(log, 'utf8').match(/"type":"step","step":\d+/g)!;
    expect(steps).toEqual(Array.from({ length: 12 }, (_, i) => `"type":"step","step":${i + 1}`));
  });

  it('begins anew where it was stopped before its first epoch ended', async () => {
    await finetune('early', ['--log-every', '1'], (line) => {
      if (line.includes('"step":1,')) process.emit('SIGINT');
    });
    rmSync(workspace.path('early', 'checkpoint.safetensors'));
    const { code, stderr } = await marsgrad(['finetune', '--resume', workspace.path('early'), '--json']);
    expect(code, stderr).toBe(0);
    expect(bytesOf('early').equals(bytesOf('whole'))).toBe(true);
  });
});

describe('evaluate', () => {
  it('finds network, classes and preprocessing in the weights, and gives what the run gave', async () => {
    const weights = workspace.path('whole', 'weights.safetensors');
    const { code, stderr, records } = await marsgrad([
      'evaluate',
      '--weights',
      weights,
      '--dataset',
      animals,
      '--device',
      'cpu',
      '--json',
    ]);
    expect(code, stderr).toBe(0);
    const summary = readFileSync(workspace.path('whole', 'log.ndjson'), 'utf8').trim().split('\n').at(-1)!;
    expect(records).toEqual([JSON.parse(summary).test]);
    expect(Object.keys(records[0]!)).toEqual(['images', 'top1', 'top5', 'loss']);
  });

  it('looks at --limit images of --split, and speaks to people without --json', async () => {
    const weights = workspace.path('whole', 'weights.safetensors');
    const args = ['evaluate', '--weights', weights, '--dataset', animals, '--device', 'cpu'];
    const { code, stdout, stderr } = await marsgrad([...args, '--split', 'train', '--limit', '5', '--batch-size', '2']);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^5 images: top-1 [\d.]+ %, top-5 100\.00 %, loss [\d.]+\n$/);
  });
});
