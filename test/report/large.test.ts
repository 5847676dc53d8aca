/** What is large stays small: many runs, many layers, many classes. */
import { describe, expect, it } from 'vitest';
import type { LayerDistance } from '../../src/regularizers/index.ts';
import { tasksOf } from '../../src/report/aggregate.ts';
import { confusionFigure } from '../../src/report/node/figures/confusion.ts';
import { distancesOverTime } from '../../src/report/node/figures/distances.ts';
import { makeReport } from '../../src/report/node/report.ts';
import { confusionOf } from '../../src/report/predictions.ts';
import type { ReportRun, Study } from '../../src/report/runs.ts';

const METHODS = ['none', 'linear-probe', 'lp-ft', 'l2-sp', 'mars-sp', 'delta', 'l2-pgm', 'mars-pgm', 'ftp'];
const EPOCHS = 30;
/** As many as a ResNet-101 has: 104 convolutions, as many BatchNorms, a classifier. */
const LAYERS = Array.from(
  { length: 209 },
  (_, i) => `layer${(i % 4) + 1}.${i}.${i === 208 ? 'fc' : i % 2 ? 'bn1' : 'conv1'}`,
);

const distanceAt = (layer: number, epoch: number, scale: number) =>
  scale * (1 + Math.sin(layer)) * Math.log(1 + epoch) + 1e-3;
const distancesOf = (scale: number) =>
  Array.from({ length: EPOCHS }, (_, epoch) => ({
    epoch: epoch + 1,
    layers: LAYERS.map((layer, i) => ({
      layer,
      mars: distanceAt(i, epoch + 1, scale),
      frobenius: distanceAt(i, epoch, scale),
    })),
  }));
const byMethod = new Map(METHODS.map((method, i) => [method, distancesOf(i + 1)]));

function layersOf(method: string): LayerDistance[] {
  const last = byMethod.get(method)!.at(-1)!.layers;
  const radius = method.endsWith('pgm') ? 1 : null;
  return last.map((one, i) => ({
    ...one,
    kind: i === 208 ? 'linear' : i % 2 ? 'batchNorm2d' : 'conv2d',
    isHead: i === 208,
    rows: 64,
    radius,
    ratio: radius,
    rowsAtBound: 0,
  }));
}

function run(task: string, method: string, seed: number): ReportRun {
  const accuracy = 0.7 + 0.01 * Math.sin(seed + METHODS.indexOf(method));
  const test = { images: 5000, top1: accuracy, top5: 1, loss: 1 };
  const settings = {
    command: 'finetune',
    network: 'resnet101',
    dataset: 'flowers',
    epochs: EPOCHS,
    seed,
    optimizer: { learningRate: 0.01 },
  };
  const dataset = {
    name: 'flowers',
    description: `Flowers, seed ${seed}.`,
    contentDigest: 'd'.repeat(64),
    classes: ['a', 'b'],
  };
  return {
    path: `study/${task}/${method}/seed-${seed}`,
    config: {
      marsgrad: '0.1.0',
      node: 'v20',
      startedAt: '2026-01-01T00:00:00.000Z',
      device: { kind: 'cpu', name: 'CPU' },
      inputs: { weights: { path: 'resnet101.pth', sha256: 'e'.repeat(64) }, dataset },
      settings: {
        ...settings,
        regularization: { method, extractor: 1, classifier: 1, relative: false, depthFactor: 1 },
      },
    } as unknown as ReportRun['config'],
    task,
    conditions: `flowers, ${task}`,
    method,
    settings: 'learningRate 0.01',
    epochs: Array.from({ length: EPOCHS }, (_, i) => ({
      epoch: i + 1,
      loss: 2 / (i + 1 + seed / 10),
      accuracy: 1 - 1 / (i + 2),
      learningRate: 0.01,
      worstRatio: method.endsWith('pgm') ? 1 : null,
      validation: test,
    })),
    steps: [],
    distances: byMethod.get(method)!,
    summary: {
      steps: 1,
      trainLoss: 1,
      trainAccuracy: 1,
      test,
      worstRatio: null,
      seconds: 60,
      files: { 'weights.safetensors': 'f'.repeat(64) },
    },
    layers: layersOf(method),
    factor: null,
  };
}

describe('a study of 225 runs of a ResNet-101', () => {
  const tasks = ['10-clean', '10-fast', '40-clean', '100-noisy', '1000-clean'];
  const runs = tasks.flatMap((task) =>
    METHODS.flatMap((method) => [0, 1, 2, 3, 4].map((seed) => run(task, method, seed))),
  );
  const searches = tasks.flatMap((task) =>
    METHODS.map((method) => ({
      path: `study/${task}/${method}/tune`,
      task,
      method,
      trials: Array.from({ length: 20 }, (_, trial) => ({
        trial,
        point: { lr: 10 ** (-trial / 5), 'reg-extractor': trial + 1 },
        status: 'done',
        accuracy: 0.5 + 0.01 * trial,
      })),
    })),
  );
  const study: Study = { name: null, runs, searches, recipe: null };

  it('is a page of less than 3 MB, made in seconds', async () => {
    const command = `marsgrad finetune ${'--option value '.repeat(30)}`;
    const begin = performance.now();
    const page = await makeReport(study, {
      openImages: null,
      commandOf: () => command,
      aboutMethod: () => null,
      madeBy: 'a test',
    });
    expect(performance.now() - begin).toBeLessThan(30_000);
    expect(Buffer.byteLength(page)).toBeLessThan(3e6);
    expect(page).toContain('10-clean');
    expect(page).toContain('All 225 runs');
  });

  it('draws some of the layers at every distance, and says so', () => {
    const [task] = tasksOf(study);
    const { markup } = distancesOverTime(task!, 'mars')!;
    expect(markup).toContain('Of 209 layers about 70 are drawn');
    // The classifier, and what moved most.
    expect(markup).toContain('<title>layer1.208.fc</title>');
    const most =
      LAYERS[LAYERS.map((_, i) => Math.sin(i)).reduce((best, value, i, all) => (value > all[best]! ? i : best), 0)];
    expect(markup).toContain(`<title>${most}</title>`);
  });
});

describe('a confusion matrix', () => {
  const [task] = tasksOf({ name: null, runs: [run('t', 'none', 0)], searches: [], recipe: null });
  /** Every image is taken for the class after its own. */
  const confusionOfClasses = (count: number, name: (i: number) => string) => {
    const labels = Int32Array.from({ length: count }, (_, i) => i);
    const logits = new Float32Array(count * count);
    for (let i = 0; i < count; i++) logits[i * count + ((i + 1) % count)] = 1;
    return confusionOf(
      Array.from({ length: count }, (_, i) => name(i)),
      [{ logits, labels }],
    );
  };

  it('has its numbers written in where there is room', () => {
    expect(confusionFigure(task!, 'none', confusionOfClasses(5, String)).markup).toContain('>100</text>');
    expect(confusionFigure(task!, 'none', confusionOfClasses(40, String)).markup).not.toContain('>100</text>');
  });

  it('of many classes becomes the commonest confusions, told apart also where their names are cut', () => {
    const { markup } = confusionFigure(
      task!,
      'none',
      confusionOfClasses(102, (i) => `a species of a very long name ${i}`),
    );
    expect(markup).toContain('Commonest confusions');
    const bars = /<g fill="var\(--series-1\)" aria-label="bar">(.*?)<\/g>/s.exec(markup)![1]!;
    expect(bars.match(/<rect/g)).toHaveLength(20);
  });
});
