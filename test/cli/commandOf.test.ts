/** Settings → command line → settings: the same. */
import { describe, expect, it } from 'vitest';
import { commandOf, valuesOf } from '../../src/cli/commandOf.ts';
import { settingsFrom } from '../../src/cli/jobs/finetuneOptions.ts';
import type { OptionValues } from '../../src/experiments/recipe.ts';

const BASE: OptionValues = { network: 'resnet20', 'random-init': true, dataset: 'photos of cats' };

const CASES: Readonly<Record<string, OptionValues>> = {
  'all defaults': {},
  'what is far from them': {
    classes: ['dog', 'cat'],
    'train-per-class': 10,
    'label-noise': 0.4,
    validation: 0.1,
    'image-size': 32,
    mean: [0.1, 0.2, 0.3],
    augment: 'crop+flip',
    'rand-augment': [2, 9],
    mixup: 0.2,
    optimizer: 'adamw',
    amsgrad: true,
    lr: 0.003,
    'lr-head-scale': 10,
    'layer-decay': 0.9,
    'weight-decay': 0.01,
    'clip-grad-norm': 1,
    'grad-norm': true,
    ema: 0.99,
    schedule: 'step',
    'lr-decay-every': 3,
    warmup: 1,
    'label-smoothing': 0.1,
    seed: 7,
    'drop-last': true,
    epochs: 5,
    'batch-size': 8,
    'log-every': 0,
  },
  'momentum of the plain kind': { nesterov: true, momentum: 0.5 },
  'a ball': {
    method: 'mars-pgm',
    'radius-extractor': 0.3,
    'radius-classifier': 3,
    projection: 'row-l1-exact',
    'batch-norm': false,
  },
  'a ball that is open on one side': {
    method: 'l2-pgm',
    'radius-extractor': 'inf',
    'radius-classifier': 2,
    'relative-radius': true,
  },
  'radii that grow': {
    method: 'mars-pgm',
    'radius-extractor': 1,
    'radius-classifier': 3,
    'depth-factor': 2,
    'head-anchor': 'initial',
  },
  'a penalty': { method: 'l2-sp', 'reg-extractor': 0.01, 'reg-classifier': 0.02 },
  'a penalty on one part': { method: 'bss', 'reg-extractor': 0.001 },
  'LP-FT': { method: 'lp-ft', epochs: 9, 'probe-epochs': 2 },
  FTP: { method: 'ftp', 'ftp-k': 0.5 },
  "the authors' preset": {
    preset: 'authors',
    'reg-method': 'penalty',
    'reg-norm': 'frob',
    'reg-extractor': 1,
    'reg-classifier': 2,
    test: true,
  },
  "the authors' preset, changed": { preset: 'authors', lr: 0.01, optimizer: 'sgd', 'depthwise-rows': 'channel' },
};

describe('the command of a run', () => {
  it.each(Object.entries(CASES))('%s', async (_, values) => {
    const settings = await settingsFrom({ ...BASE, ...values }, 'test');
    const again = await settingsFrom(valuesOf(settings), 'test');
    expect(again).toEqual(settings);
  });

  it('leaves out defaults, and quotes for a shell', async () => {
    const settings = await settingsFrom(
      { ...BASE, method: 'mars-pgm', 'radius-extractor': 1, 'radius-classifier': 3 },
      'test',
    );
    expect(commandOf(settings, 'cpu')).toBe(
      "marsgrad finetune --random-init --network resnet20 --dataset 'photos of cats' --method mars-pgm --radius-extractor 1 --radius-classifier 3 --device cpu",
    );
  });

  it('knows what train does where nothing is said', async () => {
    const settings = await settingsFrom({ ...BASE, epochs: 12 }, 'test');
    expect(commandOf({ ...settings, command: 'train' }, 'cpu')).toBe(
      "marsgrad train --network resnet20 --dataset 'photos of cats' --augment none --epochs 12 --batch-size 32 --lr 0.01 --no-nesterov --weight-decay 0 --schedule cosine --device cpu",
    );
  });
});
