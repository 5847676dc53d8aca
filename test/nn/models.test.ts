/** The networks: sizes, names, the registry, heads, and the published weights they are made for. */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import type { Device } from '../../src/devices/device.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { readWeights, stripPrefix } from '../../src/io/index.ts';
import {
  BatchNorm2d,
  Bottleneck,
  CifarResNet,
  Conv2d,
  createModel,
  type ImageNetResNet,
  modelNames,
  preprocessingOf,
} from '../../src/nn/index.ts';
import { subsample } from '../../src/nn/models/subsample.ts';
import { SGD } from '../../src/optim/index.ts';
import { setDefaultDevice, tensor } from '../../src/tensor/create.ts';
import { observeLaunches } from '../../src/tensor/launch.ts';
import { Random } from '../../src/tensor/random.ts';
import { digestOf } from './digest.ts';

setDefaultDevice(new ReferenceDevice());

/** Holds nothing: to ask large networks for their shapes. */
const shapesOnly = {
  kind: 'reference',
  name: 'no memory',
  allocate: (type: string, length: number) => ({ type, length }),
  free() {},
  upload() {},
  launch() {},
} as unknown as Device;

describe('createModel', () => {
  // torchvision's and timm's counts; He et al. 2016, table 6, gives 0.27, 0.46, 0.66, 0.85 and 1.7 million for CIFAR's.
  test.each([
    ['resnet20', 269_722],
    ['resnet32', 464_154],
    ['resnet44', 658_586],
    ['resnet56', 853_018],
    ['resnet110', 1_727_962],
    ['resnet18', 11_689_512],
    ['resnet34', 21_797_672],
    ['resnet50', 25_557_032],
    ['resnet101', 44_549_160],
    ['resnet152', 60_192_808],
    ['efficientnet_b0', 5_288_548],
    ['tf_efficientnet_b0', 5_288_548],
  ])('%s has %i parameters', (name, count) => {
    const model = createModel(name, { device: shapesOnly, seed: null });
    expect(model.parameters().reduce((sum, { size }) => sum + size, 0)).toBe(count);
    expect(`${model.headName}.weight`).toBe([...model.namedParameters().keys()].at(-2));
    const { size, mean, deviation } = preprocessingOf(name);
    expect([size, mean.length, deviation.length]).toEqual([model instanceof CifarResNet ? 32 : 224, 3, 3]);
  });

  test('knows the names that it lists, and suggests the nearest to any other', () => {
    expect(modelNames()).toHaveLength(12);
    expect(() => createModel('ResNet-21')).toThrow(
      'There is no network "ResNet-21". Did you mean "resnet20"? Known: resnet20, resnet32,',
    );
    expect(() => createModel('constructor')).toThrow('There is no network "constructor".');
    expect(() => preprocessingOf('resnet')).toThrow('Did you mean');
  });

  test('passes classes, channels and epsilon on', () => {
    const model = createModel('resnet20', { classes: 7, inChannels: 1, epsilon: 1e-3 }) as CifarResNet;
    expect([model.linear.weight.shape, model.conv1.weight.shape]).toEqual([
      [7, 64],
      [16, 1, 3, 3],
    ]);
    const norms = model.modules().filter((module) => module instanceof BatchNorm2d);
    expect(norms).toHaveLength(19);
    expect(norms.every(({ epsilon }) => epsilon === 1e-3)).toBe(true);
  });
});

describe('strideIn1x1', () => {
  const strides = (strideIn1x1: boolean) => {
    const model = createModel('resnet50', { device: shapesOnly, seed: null, strideIn1x1 }) as ImageNetResNet;
    return [...model.namedModules()]
      .filter(([name, module]) => module instanceof Conv2d && module.stride === 2 && name.includes('.conv'))
      .map(([name]) => name);
  };

  test('moves the stride of every downsampling bottleneck from its second to its first convolution', () => {
    expect(strides(false)).toEqual(['layer2.0.conv2', 'layer3.0.conv2', 'layer4.0.conv2']);
    expect(strides(true)).toEqual(['layer2.0.conv1', 'layer3.0.conv1', 'layer4.0.conv1']);
  });

  test('halves the image all the same', () => {
    const block = new Bottleneck(8, 4, 2, { strideIn1x1: true });
    expect(block.forward(tensor(new Float32Array(8 * 25), { shape: [1, 8, 5, 5] })).shape).toEqual([1, 16, 3, 3]);
  });

  test('is refused where there is no bottleneck', () => {
    expect(() => createModel('resnet18', { device: shapesOnly, seed: null, strideIn1x1: true })).toThrow(
      'a depth of 18 has not',
    );
    expect(() => createModel('resnet20', { strideIn1x1: true })).toThrow('resnet20 has no bottleneck blocks');
  });
});

describe('a classifier', () => {
  test('is its head after its features, and resetHead replaces the head alone', async () => {
    const model = createModel('resnet20', { seed: 2 }).eval();
    const x = tensor(new Float32Array(192).fill(0.5), { shape: [1, 3, 8, 8] });
    const features = model.features(x);
    expect(features.shape).toEqual([1, 64]);
    expect(await model.forward(x).data()).toEqual(await model.head.forward(features).data());

    const before = await model.stateDict();
    model.freeze();
    model.resetHead(5, { random: new Random(1) });
    const after = await model.stateDict();
    expect(after.get('linear.weight')!.shape).toEqual([5, 64]);
    expect(model.forward(x).shape).toEqual([1, 5]);
    expect([...after.keys()]).toEqual([...before.keys()]);
    const body = (state: typeof before) => digestOf(new Map([...state].filter(([name]) => !name.startsWith('linear'))));
    expect(body(after)).toBe(body(before));
    expect([...model.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name)).toEqual([
      'linear.weight',
      'linear.bias',
    ]);
    expect([model.head.training, model.train().head.training]).toEqual([false, true]);
  });

  test('resetHead refuses to orphan a head that an optimiser holds', () => {
    const model = createModel('resnet20', { classes: 2 });
    new SGD(model.parameters(), { learningRate: 0.1 });
    expect(() => model.resetHead(3)).toThrow('replace the head first');
  });

  test('resetHead draws from the given generator', async () => {
    const heads = [1, 1, 2].map((seed) => {
      const model = createModel('resnet20');
      model.resetHead(3, { random: new Random(seed) });
      return model.head.weight;
    });
    const [first, same, other] = await Promise.all(heads.map((head) => head.data()));
    expect(same).toEqual(first);
    expect(other).not.toEqual(first);
  });

  test('has a depth of 6n + 2 for CIFAR', () => {
    expect(() => new CifarResNet(21)).toThrow('a depth of 21; it must be 6n + 2');
  });
});

describe("option A's shortcut", () => {
  const x = () =>
    tensor(
      Float64Array.from({ length: 36 }, (_, i) => i + 1),
      { shape: [2, 2, 3, 3] },
    );

  test('takes every second pixel and adds channels of zeros on both sides, in two launches', async () => {
    const input = x();
    const launched: string[] = [];
    const stop = observeLaunches(({ kernel }) => launched.push(kernel.name));
    const y = subsample(input, 2, 4);
    stop();
    expect(launched).toEqual(['fill', 'stridedCopy']);
    expect(y.shape).toEqual([2, 4, 2, 2]);
    const zeros = [0, 0, 0, 0];
    const image = (first: number) => [first, first + 2, first + 6, first + 8];
    expect(Array.from(await y.data())).toEqual(
      [zeros, image(1), image(10), zeros, zeros, image(19), image(28), zeros].flat(),
    );
  });

  test('has the right first and second gradient', async () => {
    const data = Float64Array.from({ length: 36 }, (_, i) => Math.sin(i));
    const curve = (y: ReturnType<typeof x>) => y.mul(y).mul(y);
    const f = (t: ReturnType<typeof x>) => curve(subsample(t, 2, 5));
    await gradcheck(f, [{ shape: [2, 2, 3, 3], data }]);
    const first = (t: ReturnType<typeof x>) => grad(f(t).sum(), [t], { createGraph: true })[0]!;
    await gradcheck(first, [{ shape: [2, 2, 3, 3], data }]);
  });

  test('cannot remove channels', () => {
    expect(() => subsample(x(), 2, 1)).toThrow('x (2, 2, 3, 3) cannot be given 1 channels');
  });
});

describe('published CIFAR weights (../shared/data/resnet-cifar10)', () => {
  test.for([
    ['resnet20', 'resnet20-12fca82f.th'],
    ['resnet56', 'resnet56-4bfd9763.th'],
  ] as const)('%s: %s fits name by name and shape by shape', async ([network, file], { skip }) => {
    const url = new URL(`../../../shared/data/resnet-cifar10/${file}`, import.meta.url);
    skip(!existsSync(url), `${file} is not there: fetch ../shared/data/resnet-cifar10 to run this test`);
    const state = stripPrefix(readWeights(new Uint8Array(readFileSync(url)), file), 'module.');
    const model = createModel(network, { seed: null });
    expect(model.loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
    const loaded = await model.stateDict();
    expect(digestOf(new Map([...state.keys()].map((name) => [name, loaded.get(name)!])))).toBe(digestOf(state));
  });
});
