/** Every method and the authors' names, on tiny images: what runs, what the run folder says, and what comes out. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METHODS, methodOf } from '../../src/cli/methods.ts';
import { readSafetensors } from '../../src/io/index.ts';
import { marsgrad, Workspace } from './command.ts';

const workspace = new Workspace();
let animals: string;
let source: string;

beforeAll(async () => {
  const colours = await workspace.images('colours', ['red', 'green'], { train: 4, test: 2 });
  animals = await workspace.images('animals', ['cat', 'dog'], { train: 6, val: 4, test: 3 });
  const out = workspace.path('source');
  const options = ['--epochs', '1', '--image-size', '8', '--batch-size', '4', '--device', 'cpu', '--out', out];
  const { code, stderr } = await marsgrad(['train', '--network', 'resnet20', '--dataset', colours, ...options]);
  expect(code, stderr).toBe(0);
  source = workspace.path('source', 'weights.safetensors');
}, 120_000);
afterAll(() => workspace.remove());

let runs = 0;
async function finetune(...options: string[]) {
  const out = workspace.path(`run-${++runs}`);
  const common = ['--weights', source, '--dataset', animals, '--device', 'cpu', '--image-size', '8', '--out', out];
  const outcome = await marsgrad(['finetune', ...common, '--epochs', '2', '--batch-size', '4', ...options]);
  expect(outcome.code, outcome.stderr).toBe(0);
  const json = (file: string) => JSON.parse(readFileSync(`${out}/${file}`, 'utf8'));
  return { ...outcome, out, config: json('config.json'), distances: json('distances.json') };
}

type Distance = {
  layer: string;
  kind: string;
  isHead: boolean;
  mars: number;
  frobenius: number;
  radius: number | null;
};

const OPTIONS: Record<string, string[]> = {
  'l2-pgm': ['--radius-extractor', '0.2', '--radius-classifier', '1'],
  'mars-pgm': ['--radius-extractor', '0.2', '--radius-classifier', '1'],
  'l2-sp': ['--reg-extractor', '0.1', '--reg-classifier', '0.1'],
  delta: ['--reg-extractor', '0.01', '--reg-classifier', '0.01', '--delta-weights', 'uniform'],
  bss: ['--reg-extractor', '0.001'],
  spd: ['--reg-extractor', '1'],
  'mars-sp': ['--reg-extractor', '0.01', '--reg-classifier', '0.01'],
};

describe('--method', () => {
  it.each(METHODS)('%s runs, and says so', async (method) => {
    const { config, distances, out } = await finetune('--method', method, '--lr', '0.05', ...(OPTIONS[method] ?? []));
    expect(config.settings.regularization.method).toBe(method);
    const moved = (distances as Distance[]).filter(({ isHead, mars }) => !isHead && mars > 0).length;
    expect(moved > 0).toBe(method !== 'linear-probe');
    for (const { layer, kind, mars, frobenius, radius } of distances as Distance[]) {
      expect(radius === null, layer).toBe(!method.endsWith('-pgm'));
      const bounded = method === 'l2-pgm' && kind !== 'batchNorm2d' ? frobenius : mars;
      if (radius !== null) expect(bounded / radius, layer).toBeLessThanOrEqual(1 + 1e-5);
    }
    const epochs = readFileSync(`${out}/log.ndjson`, 'utf8').match(/"penalty":[^[,}]+/g)!;
    expect(epochs.every((text) => (text === '"penalty":null') === !/-sp$|delta|bss/.test(method))).toBe(true);
  });

  it('delta measures its channels once, and finds them again', async () => {
    const cache = workspace.path('delta');
    const args = ['--method', 'delta', '--reg-extractor', '0.01', '--reg-classifier', '0.01', '--delta-cache', cache];
    const first = await finetune(...args);
    expect(first.stderr).toContain('112 of 112 channels');
    const second = await finetune(...args);
    expect(second.stderr).not.toContain('channels');
    expect(
      readFileSync(`${second.out}/weights.safetensors`).equals(readFileSync(`${first.out}/weights.safetensors`)),
    ).toBe(true);
    const authors = await finetune(...args, '--preset', 'authors', '--test');
    expect(authors.stderr).toContain('weighing the channels of layer3 on 20 images');
  });

  it('ftp goes on with the same bytes where it was stopped', async () => {
    const whole = await finetune('--method', 'ftp', '--log-every', '1');
    const out = workspace.path('stopped');
    const args = ['--weights', source, '--dataset', animals, '--device', 'cpu', '--image-size', '8', '--out', out];
    const options = ['--epochs', '2', '--batch-size', '4', '--method', 'ftp', '--log-every', '1', '--json'];
    const stopped = await marsgrad(['finetune', ...args, ...options], (line) => {
      if (line.includes('"step":2,')) process.emit('SIGINT');
    });
    expect(stopped.code).toBe(130);
    const resumed = await marsgrad(['finetune', '--resume', out, '--json']);
    expect(resumed.code, resumed.stderr).toBe(0);
    const bytes = (run: string) => readFileSync(`${run}/weights.safetensors`);
    expect(bytes(out).equals(bytes(whole.out))).toBe(true);
  });

  it('tpgm holds the weights nearer than the free run, and needs validation images', async () => {
    const [free, held] = [
      await finetune('--lr', '0.05'),
      await finetune('--method', 'tpgm', '--lr', '0.05', '--tpgm-steps', '5'),
    ];
    const total = (distances: Distance[]) => distances.reduce((sum, { isHead, mars }) => sum + (isHead ? 0 : mars), 0);
    expect(total(held.distances)).toBeLessThan(total(free.distances));
    expect(total(held.distances)).toBeGreaterThan(0);
  });

  it('lp-ft trains the head alone first', async () => {
    const args = ['--method', 'lp-ft', '--lr', '0.05', '--schedule', 'constant'];
    const probed = await finetune(...args, '--probe-epochs', '2');
    expect((probed.distances as Distance[]).every(({ isHead, mars }) => isHead || mars === 0)).toBe(true);
    const both = await finetune(...args, '--probe-epochs', '1');
    expect((both.distances as Distance[]).every(({ mars }) => mars > 0)).toBe(true);
  });

  it('--projection, --relative-radius and --depth-factor reach the ball', async () => {
    const ball = ['--method', 'mars-pgm', '--radius-extractor', '0.01', '--radius-classifier', '1'];
    const exact = await finetune(...ball, '--projection', 'row-l1-exact', '--lr', '0.05');
    expect(exact.config.settings.regularization.projection).toBe('row-l1-exact');
    const radiusOf = (distances: Distance[], name: string) => distances.find(({ layer }) => layer === name)!.radius;
    const relative = await finetune(...ball, '--relative-radius');
    expect(radiusOf(relative.distances, 'conv1')).toBeGreaterThan(0.011);
    const scaled = await finetune(...ball, '--depth-factor', '0.5');
    expect(
      ['conv1', 'layer1.0.conv1', 'layer3.0.conv1', 'linear'].map((name) => radiusOf(scaled.distances, name)),
    ).toEqual([null, expect.closeTo(0.01, 6), expect.closeTo(0.005, 6), 1]);
  });
});

it('evaluate --interpolate goes from the pre-trained to the fine-tuned weights', async () => {
  const { out } = await finetune('--lr', '0.05');
  const args = ['evaluate', '--weights', out, '--dataset', animals, '--device', 'cpu', '--json'];
  const at = async (...options: string[]) => (await marsgrad([...args, ...options])).records[0] as { loss: number };
  const plain = await at();
  expect(await at('--interpolate', '1', '--pretrained', source)).toEqual(plain);
  expect((await at('--interpolate', '0.5', '--pretrained', source)).loss).not.toBe(plain.loss);
  expect(await marsgrad([...args, '--interpolate', '0.5'])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--interpolate and --pretrained go together'),
  });
});

describe('the update', () => {
  const bytes = (run: string) => readFileSync(`${run}/weights.safetensors`);

  it('--accumulate, --clip-grad-norm, --grad-norm and --layer-decay reach it', async () => {
    const { out, config } = await finetune('--accumulate', '2', '--clip-grad-norm', '0.5', '--layer-decay', '0.5');
    expect(config.settings.optimizer).toMatchObject({ accumulate: 2, clipGradNorm: 0.5, layerDecay: 0.5 });
    const log = readFileSync(`${out}/log.ndjson`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    // 12 images in batches of 4: two updates an epoch.
    expect(log.filter(({ type }) => type === 'epoch').map(({ step }) => step)).toEqual([2, 4]);
    expect(log.find(({ type }) => type === 'epoch').gradNorm).toBeGreaterThan(0);
    const logged = await finetune('--grad-norm');
    expect(readFileSync(`${logged.out}/log.ndjson`, 'utf8')).toMatch(/"gradNorm":[\d.]+/);
  });

  it('--ema tests and saves the average: of weights in the ball, convolutions in the ball', async () => {
    const ball = ['--method', 'mars-pgm', '--radius-extractor', '0.2', '--radius-classifier', '1', '--lr', '0.05'];
    const [plain, averaged] = [await finetune(...ball), await finetune(...ball, '--ema', '0.9')];
    expect(bytes(averaged.out).equals(bytes(plain.out))).toBe(false);
    for (const { layer, kind, mars, radius } of averaged.distances as Distance[])
      if (kind === 'conv2d') expect(mars / radius!, layer).toBeLessThanOrEqual(1 + 1e-5);
  });

  it('--rand-augment, --mixup and --cutmix go into the settings, and run', async () => {
    const augment = ['--augment', 'crop+flip', '--rand-augment', '2,9', '--mixup', '0.2', '--cutmix', '1'];
    const [one, two] = [await finetune(...augment), await finetune(...augment)];
    expect(one.config.settings).toMatchObject({ randAugment: [2, 9], mix: { mixup: 0.2, cutmix: 1 } });
    expect(bytes(one.out).equals(bytes(two.out))).toBe(true);
    const plain = ['finetune', '--weights', source, '--dataset', animals, '--rand-augment', '2,9'];
    expect(await marsgrad(plain)).toMatchObject({ code: 2, stderr: expect.stringContaining('--augment crop+flip') });
  });

  it('--optimizer adamw, and one that there is not', async () => {
    const { config } = await finetune('--optimizer', 'adamw', '--lr', '0.001', '--weight-decay', '0.05');
    expect(config.settings.optimizer).toMatchObject({ name: 'adamw', weightDecay: 0.05 });
    const { code, stderr } = await marsgrad(['finetune', '--optimizer', 'admw']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Did you mean "adam')]);
  });
});

describe("the authors' names", () => {
  it('mean methods of ours', () => {
    expect(methodOf('constraint', 'inf-op')).toBe('mars-pgm');
    expect(methodOf('constraint', 'frob')).toBe('l2-pgm');
    expect(methodOf('penalty', 'inf-op')).toBe('mars-sp');
    expect(methodOf('penalty', 'frob')).toBe('l2-sp');
  });

  it('--quiet prints one row of nine fields, and nothing else', async () => {
    const row = await finetune('--reg-norm', 'frob', '--reg-extractor', '0.5', '--reg-classifier', '2', '--quiet');
    expect(row.stderr).toBe('');
    expect(row.stdout).toMatch(/^resnet20,constraint,frob,0\.5,2,[\d.]+,[\d.]+,[\d.]+,[\d.]+\n$/);
    const free = await finetune('--quiet');
    expect(free.stdout).toMatch(/^resnet20,constraint,inf-op,inf,inf,/);
    const half = await finetune('--reg-extractor', '0.5', '--quiet');
    expect(half.stdout).toMatch(/^resnet20,constraint,inf-op,0\.5,inf,/);
  });

  it('--norm-hist prints both distances of every layer but the classifier', async () => {
    const { stdout, distances } = await finetune('--norm-hist');
    const layers = (distances as Distance[]).filter(({ kind, isHead }) => kind === 'conv2d' && !isHead);
    expect(stdout.trim().split('\n')).toEqual(layers.map(({ mars, frobenius }) => `${mars},${frobenius}`));
  });

  it('--preset authors is Adam on raw pixels with a flattened head; evaluate reads it back', async () => {
    const { config, out, stdout } = await finetune('--preset', 'authors', '--test', '--lr-drop-freq', '1', '--quiet');
    const { settings, inputs } = config;
    expect(settings).toMatchObject({
      preset: 'authors',
      head: 'flattened',
      batchSize: 4,
      dropLast: true,
      evaluateOn: 'test',
      optimizer: { name: 'adam', amsgrad: true, semantics: 'keras', learningRate: 1e-4, epsilon: 1e-7 },
      schedule: { name: 'step', decayEvery: 1, decayFactor: 0.5 },
    });
    // Trained on train/ and val/; of the six test images the last two are dropped.
    expect(inputs.dataset).toMatchObject({ trainImages: 20, validationImages: 0, testImages: 6 });
    const { state } = readSafetensors(readFileSync(`${out}/weights.safetensors`));
    expect(state.get('linear.weight')!.shape).toEqual([2, 64 * 2 * 2]);
    const weights = `${out}/weights.safetensors`;
    const again = await marsgrad(['evaluate', '--weights', weights, '--dataset', animals, '--device', 'cpu', '--json']);
    expect(again.code, again.stderr).toBe(0);
    expect(again.records[0]).toMatchObject({ images: 6 });
    expect(stdout.split(',')).toHaveLength(9);
  });

  it('--freeze-frac leaves the first layers where they were, BatchNorm excepted', async () => {
    const { distances } = await finetune('--freeze-frac', '0.5', '--lr', '0.05');
    const still = (distances as Distance[]).filter(({ mars }) => mars === 0).map(({ layer }) => layer);
    expect(still).toHaveLength(10);
    expect(still.every((name) => name.includes('conv'))).toBe(true);
  });

  it('--random-init begins from random weights, and measures from them', async () => {
    const out = workspace.path('random');
    const args = ['--network', 'resnet20', '--random-init', '--dataset', animals, '--image-size', '8', '--epochs', '1'];
    const { code, stderr } = await marsgrad(['finetune', ...args, '--device', 'cpu', '--out', out]);
    expect(code, stderr).toBe(0);
    const distances: Distance[] = JSON.parse(readFileSync(`${out}/distances.json`, 'utf8'));
    expect(distances.find(({ layer }) => layer === 'conv1')!.mars).toBeLessThan(0.5);
  });
});

it('summarize gathers runs over their seeds, and says what differs', async () => {
  const ball = ['--method', 'mars-pgm', '--radius-extractor', '0.2', '--radius-classifier', '1'];
  const folders: string[] = [];
  for (const seed of ['0', '1']) {
    folders.push((await finetune('--seed', seed)).out, (await finetune('--seed', seed, ...ball)).out);
  }
  const { code, stdout, stderr } = await marsgrad(['summarize', ...folders]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(
    /^animals, resnet20, 2 epochs of batches of 4\nmethod .*\nnone +2 .*\nmars-pgm +extractor 0\.2, classifier 1 +2 /,
  );
  const json = await marsgrad(['summarize', ...folders, '--json']);
  expect(json.records[0]).toMatchObject({ tables: [{ rows: [{ method: 'none', count: 2 }, { method: 'mars-pgm' }] }] });
  const empty = await marsgrad(['summarize', animals]);
  expect([empty.code, empty.stderr]).toEqual([2, expect.stringContaining('There is no complete run')]);
});
