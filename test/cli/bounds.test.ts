/** The command on tiny weights: what it writes, what it refuses, and that it agrees with the library. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asFloat32, storedMetadata } from '../../src/cli/weights.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { saveSafetensors } from '../../src/io/node/files.ts';
import { createModel, preprocessingOf } from '../../src/nn/index.ts';
import { setDefaultDevice } from '../../src/tensor/create.ts';
import { disturb } from '../regularizers/net.ts';
import { marsgrad, type Outcome, Workspace } from './command.ts';

const workspace = new Workspace();
const device = new ReferenceDevice();
setDefaultDevice(device);
let arguments_: string[];
let whole: Outcome;

async function saveModel(name: string, moved: number): Promise<string> {
  const model = createModel('resnet20', { classes: 2, seed: 1, device });
  if (moved > 0) await disturb(model, moved, 3);
  const path = workspace.path(`${name}.safetensors`);
  const preprocessing = { ...preprocessingOf('resnet20'), size: 8 };
  const facts = { network: 'resnet20', classes: ['cat', 'dog'], preprocessing, architecture: {} };
  const metadata = { ...facts, seed: 0, preset: 'modern' } as const;
  await saveSafetensors(path, asFloat32(await model.stateDict()), storedMetadata(metadata));
  return path;
}

beforeAll(async () => {
  const animals = await workspace.images('animals', ['cat', 'dog'], { train: 6, test: 2 });
  const [start, tuned] = [await saveModel('start', 0), await saveModel('tuned', 0.01)];
  arguments_ = ['bounds', tuned, start, '--dataset', animals, '--device', 'cpu'];
  whole = await marsgrad([...arguments_, '--allow-residual', '--json', '--margin', '2']);
});
afterAll(() => workspace.remove());

interface Bound {
  readonly id: string;
  readonly log10: number | null;
}
const boundsOf = ({ records }: Outcome): Map<string, number | null> =>
  new Map((records[0] as { bounds: Bound[] }).bounds.map(({ id, log10 }) => [id, log10]));

describe('bounds', () => {
  it('writes one object: data, bounds, and every layer with the BatchNorm folded in', () => {
    expect(whole.code, whole.stderr).toBe(0);
    expect(whole.records).toHaveLength(1);
    const [record] = whole.records;
    expect(record).toMatchObject({
      type: 'bounds',
      network: 'resnet20',
      theoremsApply: false,
      outside: ['paths are joined (residual connections or gates): 9 × add'],
      data: { examples: 12, inputs: 192, classes: 2 },
      margin: 2,
    });
    const { layers, shareWithinMargin } = record as { layers: Record<string, number>[]; shareWithinMargin: number };
    expect(layers).toHaveLength(20);
    expect(layers[0]!.name).toBe('conv1 + bn1');
    expect(shareWithinMargin).toBeGreaterThanOrEqual(0);
    for (const { spectral, frobenius, spectralDistance, frobeniusDistance } of layers) {
      expect(spectral).toBeLessThanOrEqual(frobenius! * (1 + 1e-6));
      expect(spectralDistance).toBeGreaterThan(0);
      expect(spectralDistance).toBeLessThanOrEqual(frobeniusDistance! * (1 + 1e-6));
    }
    expect([...boundsOf(whole).values()].every(Number.isFinite)).toBe(true);
  });

  it('gives smaller bounds where the weights moved less, except to those that know no distance', async () => {
    const [, , start] = arguments_ as [string, string, string];
    const still = ['bounds', start, start, ...arguments_.slice(3)];
    const options = ['--allow-residual', '--json', '--head-anchor', 'initial', '--margin', '2'];
    const unmoved = boundsOf(await marsgrad([...still, ...options]));
    for (const id of ['gouk-mars', 'gouk-mars-sqrt', 'gouk-frobenius', 'graf-parameters'])
      expect(unmoved.get(id)).toBeNull();
    expect(unmoved.get('bartlett')).toBeCloseTo(Math.log10(4 / 12), 9);
    expect(unmoved.get('golowich-mars')).toBeGreaterThan(0);
  });

  it('tells people the same in a table', async () => {
    const { code, stdout, stderr } = await marsgrad([...arguments_, '--allow-residual', '--layers']);
    expect(code, stderr).toBe(0);
    expect(stdout).toContain('NO BOUNDS, only their formulas');
    expect(stdout).toMatch(/Gouk et al\. 2021, theorem 2 +Frobenius +yes +-?\d+\.\d\d/);
    expect(stdout).toMatch(/layer1\.0\.conv1 \+ layer1\.0\.bn1 +\d/);
    const first = boundsOf(whole).get('gouk-mars')!;
    expect(stdout).toContain(`with ln(d)         MARS       yes  ${first.toFixed(2)}`);
  });

  it('refuses what is no chain, another number of classes, and what is missing', async () => {
    const refused = await marsgrad(arguments_);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('resnet20 is none: paths are joined');
    const noData = await marsgrad([...arguments_.slice(0, 3), '--allow-residual']);
    expect([noData.code, noData.stderr]).toEqual([
      2,
      'error: bounds needs --dataset: the images that the network was trained on.\n',
    ]);
    const oneClass = await marsgrad([...arguments_, '--allow-residual', '--classes', 'cat']);
    expect(oneClass.stderr).toContain('tells 2 classes apart, but the data set has 1');
    const margin = await marsgrad([...arguments_, '--margin', '0']);
    expect(margin.code).toBe(2);
  });
});
