/** Files as the training scripts of timm and torchvision leave them, made by test/golden/io/make_checkpoints.py: names, wrappings, weights. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { modelWithWeights } from '../../src/cli/model.ts';
import { readWeightsFile } from '../../src/cli/weights.ts';
import type { Device } from '../../src/devices/device.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import {
  fromTorchvisionEfficientNet,
  type PytorchValue,
  readPytorch,
  stateDictOf,
  stateEntry,
  stripWrappers,
} from '../../src/io/index.ts';
import { createModel } from '../../src/nn/index.ts';
import { golden } from './golden.ts';

const expected: {
  readonly names: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
} = JSON.parse(new TextDecoder().decode(golden('checkpoints.json')));

const digest = (lines: readonly string[]): string =>
  createHash('sha256')
    .update(
      [...lines]
        .sort()
        .map((line) => `${line}\n`)
        .join(''),
    )
    .digest('hex');

/** Holds nothing: to ask large networks for their shapes. */
const shapesOnly = {
  kind: 'reference',
  name: 'no memory',
  allocate: (type: string, length: number) => ({ type, length }),
  free() {},
  upload() {},
  launch() {},
} as unknown as Device;

describe('names and shapes', () => {
  test.each(Object.entries(expected.names))("of %s are torchvision's and timm's", (name, wanted) => {
    const model = createModel(name, { device: shapesOnly, seed: null });
    const tensors = [...model.namedParameters(), ...model.namedBuffers()];
    expect(digest(tensors.map(([tensor, { shape }]) => `${tensor} [${shape}]`))).toBe(wanted);
  });
});

describe('training checkpoints', () => {
  const STEP = 2 ** -12;

  test.each([
    ['timm-resnet18.pth.tar', 'resnet18', 5],
    ['torchvision-efficientnet_b0.pth', 'efficientnet_b0', 4],
  ])('%s: the running average of the weights, every tensor in its place', async (file, network, classes) => {
    const path = fileURLToPath(new URL(`../golden/io/${file}`, import.meta.url));
    const device = new ReferenceDevice();
    const model = modelWithWeights(network, await readWeightsFile(path), device);
    expect(model.head.outFeatures).toBe(classes);
    const lines: string[] = [];
    for (const [name, { shape, data }] of await model.stateDict()) {
      if (data instanceof BigInt64Array) {
        if (name.endsWith('num_batches_tracked')) expect([name, data[0]]).toEqual([name, 17n]);
        continue;
      }
      expect(data.every((value) => value === data[0])).toBe(true);
      lines.push(`${name} [${shape}] ${data[0]! / STEP}`);
    }
    expect(digest(lines)).toBe(expected.files[file]);
    device.close();
  });

  test("the script's arguments are plain values", () => {
    const checkpoint = readPytorch(golden('timm-resnet18.pth.tar')) as Map<string, PytorchValue>;
    expect(checkpoint.get('epoch')).toBe(11);
    expect(Object.fromEntries(checkpoint.get('args') as Map<string, PytorchValue>)).toEqual({
      data_dir: 'images',
      model: 'resnet18',
      lr: 0.1,
      decay_milestones: [90, 180, 270],
      mean: null,
      amp: false,
      scale: [0.08, 1],
    });
  });
});

describe('what wrappers put before names', () => {
  const entry = stateEntry([], Float32Array.of(1));
  const count = stateEntry([], BigInt64Array.of(3n));
  const stateOf = (...names: string[]) => new Map(names.map((name) => [name, entry]));
  const stripped = (...names: string[]) => [...stripWrappers(stateOf(...names)).keys()];

  test('goes, however nested, where every name has it', () => {
    expect(stripped('module.a', 'module.b')).toEqual(['a', 'b']);
    expect(stripped('_orig_mod.module.a', '_orig_mod.module.b')).toEqual(['a', 'b']);
    expect(stripped('module._orig_mod.a')).toEqual(['a']);
    expect(stripped('module.a', 'b')).toEqual(['module.a', 'b']);
    expect(stripped('module.')).toEqual(['module.']);
    expect(stripWrappers(new Map()).size).toBe(0);
  });

  test("AveragedModel's own counter goes with it, and only then", () => {
    const averaged = new Map([['n_averaged', count], ...stateOf('module.a')]);
    expect([...stripWrappers(averaged).keys()]).toEqual(['a']);
    const own = new Map([['n_averaged', count], ...stateOf('a')]);
    expect(stripWrappers(own)).toBe(own);
  });

  test('the running average comes first, where it is one', () => {
    const weights = new Map<PytorchValue, PytorchValue>([['w', entry]]);
    const average = new Map<PytorchValue, PytorchValue>([['average', entry]]);
    const found = (checkpoint: [PytorchValue, PytorchValue][]) => [...stateDictOf(new Map(checkpoint)).keys()];
    expect(
      found([
        ['state_dict', weights],
        ['state_dict_ema', average],
      ]),
    ).toEqual(['average']);
    expect(
      found([
        ['model_ema', average],
        ['model', weights],
      ]),
    ).toEqual(['average']);
    expect(
      found([
        ['state_dict', weights],
        ['state_dict_ema', null],
      ]),
    ).toEqual(['w']);
  });

  test("torchvision's names change for its EfficientNets alone", () => {
    // MobileNetV2, MobileNetV3 and EfficientNetV2 of torchvision share many names with them.
    for (const other of [
      'features.1.conv.0.0.weight',
      'features.1.block.0.0.weight',
      'features.1.0.block.0.0.weight',
    ]) {
      const state = stateOf('features.0.0.weight', other, 'classifier.1.weight');
      expect(fromTorchvisionEfficientNet(state)).toBe(state);
    }
    const own = stateOf('features.1.0.block.1.fc1.weight', 'features.2.0.block.4.0.weight', 'extra.weight');
    expect([...fromTorchvisionEfficientNet(own).keys()]).toEqual([
      'blocks.0.0.se.conv_reduce.weight',
      'features.2.0.block.4.0.weight',
      'extra.weight',
    ]);
  });
});
