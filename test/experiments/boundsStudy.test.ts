/** The bounds study on eight-by-eight images: what a case trains and measures, and what the summary makes of rows. */
import { beforeAll, describe, expect, it } from 'vitest';
import { InMemoryDataset } from '../../src/data/index.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { BOUNDS_GRID, type BoundsGrid, boundsCases, shapesOf } from '../../src/experiments/boundsGrid.ts';
import { StudyNetwork } from '../../src/experiments/boundsNetworks.ts';
import {
  BOUNDS_STUDY_SETTINGS,
  type BoundsCase,
  type BoundsRow,
  BoundsStudy,
  caseName,
} from '../../src/experiments/boundsStudy.ts';
import { boundsCsv, summarizeBounds } from '../../src/experiments/boundsSummary.ts';
import { generalizationBounds } from '../../src/regularizers/index.ts';
import { setDefaultDevice } from '../../src/tensor/create.ts';
import { Random } from '../../src/tensor/random.ts';

const device = new ReferenceDevice();
setDefaultDevice(device);

/** Images whose brightest column tells the class. */
function columns(count: number, seed: number): InMemoryDataset {
  const random = new Random(seed);
  const labels = Int32Array.from({ length: count }, (_, n) => n % 4);
  const pixels = Uint8Array.from(
    { length: count * 64 },
    (_, i) => random.integer(80) + (i % 8 === 2 * labels[Math.floor(i / 64)]! ? 170 : 0),
  );
  const classes = ['a', 'b', 'c', 'd'];
  return new InMemoryDataset({ name: 'columns', classes, pixels, labels, height: 8, width: 8, storedChannels: 1 });
}

const settings = {
  ...BOUNDS_STUDY_SETTINGS,
  pretrainingExamples: 20,
  maxEpochs: 6,
  batchSize: 5,
  learningRate: 0.05,
  loss: 0.2,
  radius: 0.25,
  headRadius: 0.5,
};
const images = { train: columns(80, 1), test: columns(24, 2), imageSize: 8 };
const mlp: BoundsCase = { network: 'mlp', width: 6, hiddenLayers: 2, examples: 20, start: 'random', seed: 0 };

describe('a case', () => {
  const rows = new Map<string, BoundsRow>();
  beforeAll(async () => {
    const study = new BoundsStudy(images, settings, device);
    for (const start of ['random', 'pretrained', 'held'] as const) rows.set(start, await study.run({ ...mlp, start }));
    rows.set('convnet', await study.run({ ...mlp, network: 'convnet', width: 3, start: 'held' }));
  });

  it('says what was trained, and the bounds of just these norms', () => {
    for (const row of rows.values()) {
      expect(row.layers).toHaveLength(3);
      expect(row.data).toMatchObject({ examples: 20, inputs: 64, classes: 2 });
      expect(row.data.largestElement).toBeLessThanOrEqual(1);
      const bounds = generalizationBounds(row.layers, row.data, { margin: settings.margin });
      for (const { id, log10 } of bounds) expect(row.bounds[id]).toBe(log10);
      expect(row.epochs === settings.maxEpochs || row.trainLoss <= settings.loss).toBe(true);
      expect(row.parameters).toBe(row.layers.reduce((sum, layer) => sum + layer.parameters, 0));
    }
    expect(rows.get('convnet')!.layers.map(({ name }) => name)).toEqual(['body.0', 'body.3', 'head']);
    expect(rows.get('random')!.trainLoss).toBeLessThan(0.6);
  });

  it('stays in its ball where it is held, and leaves it where it is not', () => {
    for (const name of ['held', 'convnet']) {
      const { layers } = rows.get(name)!;
      layers.forEach(({ marsDistance, name: layer }) => {
        expect(marsDistance).toBeLessThanOrEqual(
          (layer === 'head' ? settings.headRadius : settings.radius) * (1 + 1e-9),
        );
        expect(marsDistance).toBeGreaterThan(0);
      });
    }
    expect(Math.max(...rows.get('random')!.layers.map(({ marsDistance }) => marsDistance))).toBeGreaterThan(0.5);
  });

  it('is the same whenever it is run, and begins from what the first classes taught', async () => {
    const { layers } = await new BoundsStudy(images, settings, device).run({ ...mlp, start: 'pretrained' });
    expect(layers).toEqual(rows.get('pretrained')!.layers);
    expect(layers[0]!.mars).not.toBe(rows.get('random')!.layers[0]!.mars);
  });

  it('stops with the reason of the signal', async () => {
    const stopped = new AbortController();
    stopped.abort(new Error('enough'));
    await expect(new BoundsStudy(images, settings, device).run(mlp, stopped.signal)).rejects.toThrow('enough');
  });
});

describe('the networks', () => {
  it('are as wide and deep as they should be', () => {
    const shapes = (kind: 'mlp' | 'convnet', hiddenLayers: number) =>
      [
        ...new StudyNetwork({
          kind,
          width: 5,
          hiddenLayers,
          imageSize: 8,
          classes: 3,
          seed: 0,
          device,
        }).namedParameters(),
      ]
        .filter(([name]) => name.endsWith('weight'))
        .map(([, { shape }]) => shape);
    expect(shapes('mlp', 2)).toEqual([
      [5, 64],
      [5, 5],
      [3, 5],
    ]);
    expect(shapes('convnet', 2)).toEqual([
      [5, 1, 3, 3],
      [10, 5, 3, 3],
      [3, 40],
    ]);
  });
});

describe('the grid', () => {
  it('varies one thing at a time, and trains nothing twice', () => {
    const cases = boundsCases(BOUNDS_GRID);
    expect(new Set(cases.map(caseName)).size).toBe(cases.length);
    const { widths, channels, hiddenLayers, examples, starts, seeds } = BOUNDS_GRID;
    const shapes = widths.length + channels.length + (hiddenLayers.length - 1) + (examples.length - 1);
    expect(cases).toHaveLength(shapes * starts.length * seeds);
    expect(shapesOf({ network: 'mlp', variable: 'examples' }, BOUNDS_GRID).map((shape) => shape.examples)).toEqual(
      [...examples].sort((a, b) => a - b),
    );
  });
});

/** A row of a network whose every layer has these norms. */
function row(one: Partial<BoundsCase>, norm: number, distance: number): BoundsRow {
  const shape = { ...mlp, ...one };
  const sizes = [64, ...Array.from({ length: shape.hiddenLayers }, () => shape.width), 2];
  const layers = sizes.slice(1).map((outputs, j) => ({
    ...{ name: `layer ${j}`, inputs: sizes[j]!, outputs, parameters: sizes[j]! * outputs },
    ...{ mars: norm, marsDistance: distance, frobenius: norm, frobeniusDistance: distance },
    ...{ spectral: norm, spectralDistance: distance, rowSumDistance: distance, kernelSumDistance: distance },
  }));
  const data = { examples: shape.examples, inputs: 64, classes: 2, largestElement: 1, rmsNorm: 3, largestPlaceRms: 1 };
  const bounds = Object.fromEntries(generalizationBounds(layers, data).map(({ id, log10 }) => [id, log10]));
  const facts = {
    epochs: 1,
    steps: 1,
    trainLoss: 0,
    trainAccuracy: 1,
    testAccuracy: 0.5 + shape.seed / 10,
    testLoss: 1,
  };
  const measured = { parameters: 1, spectralDistance: 1, margin: 1, shareWithinMargin: 0 };
  return { ...shape, ...facts, ...measured, data, layers, bounds };
}

describe('the summary', () => {
  const grid: BoundsGrid = {
    widths: [10, 100, 1000],
    channels: [4],
    hiddenLayers: [2, 1, 3],
    examples: [100],
    starts: ['random'],
    seeds: 2,
  };
  const base = { width: 100, hiddenLayers: 1, examples: 100 };
  const rows = [0, 1].flatMap((seed) => [
    // Norms that grow as the root of the width, distances that do not.
    ...[10, 100, 1000].map((width) => row({ ...base, width, seed }, 2 * Math.sqrt(width), 1)),
    row({ ...base, hiddenLayers: 2, seed }, 20, 1),
    row({ ...base, hiddenLayers: 3, seed }, 20, 1),
  ]);
  const summary = summarizeBounds(rows, grid);
  const growth = (variable: string) =>
    summary.growth.find((one) => one.network === 'mlp' && one.variable === variable)!;

  it('parts what the norms add to the growth from what stands in the formula', () => {
    const { measured, explicit } = growth('width');
    // Two layers: Σ D·B, of which B grows as √n; theorem 2 has another √n for the second layer, that of its inputs.
    expect(measured['gouk-mars']).toBeCloseTo(0.5, 9);
    expect(explicit!['gouk-mars']).toBeCloseTo(0, 9);
    expect(measured['neyshabur-mars']).toBeCloseTo(1, 9);
    expect(explicit!['golowich-frobenius']).toBeCloseTo(0, 9);
    expect(explicit!['gouk-frobenius']).toBeGreaterThan(0.3);
    expect(explicit!['gouk-frobenius']).toBeLessThan(0.5);
    expect(measured['gouk-frobenius']! - explicit!['gouk-frobenius']!).toBeCloseTo(0.5, 9);
  });

  it('counts decades per layer, and nothing where nothing varies', () => {
    // 2·B for every layer more, and a term more in the sum: between 1 and 3 hidden layers 2, 3 and 4.
    const { measured, explicit } = growth('hiddenLayers');
    expect(measured['gouk-mars']).toBeCloseTo(Math.log10(40) + Math.log10(4 / 2) / 2, 9);
    expect(explicit).toBeNull();
    expect(growth('examples').measured['gouk-mars']).toBeNull();
  });

  it('takes means over seeds, and writes one line per network and bound', () => {
    const group = summary.groups.find(({ width }) => width === 1000)!;
    expect([group.seeds, group.testAccuracy]).toEqual([2, 0.55]);
    expect(group.marsDistance).toBe(1);
    const lines = boundsCsv(summary).trim().split('\n');
    expect(lines).toHaveLength(1 + 5 * summary.names.length);
    expect(lines[1]).toMatch(/^mlp,10,1,100,random,2,0,0\.55,gouk-mars,MARS,\d/);
  });
});
