/** Layers models of TensorFlow.js: what is read, what is refused, and Keras's ResNets in torchvision's names. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { readKerasResNet, readLayersModel } from '../../src/io/index.ts';
import { torchvisionModule } from '../../src/io/keras/resNet.ts';
import { loadLayersModel } from '../../src/io/node/layersModel.ts';
import { createModel } from '../../src/nn/index.ts';

const layer = (name: string, config: object = {}, className = 'Conv2D') => ({
  class_name: className,
  name,
  config: { name, ...config },
});
const topology = (layers: object[]) => ({ model_config: { class_name: 'Model', config: { name: 'm', layers } } });
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

const small = (weights: object[], paths = ['a.bin', 'b.bin']) => ({
  format: 'layers-model',
  modelTopology: topology([layer('conv1', { filters: 2 })]),
  weightsManifest: [{ paths, weights }],
});

describe('readLayersModel', () => {
  const weights = [
    { name: 'conv1/kernel', shape: [1, 1, 2, 2], dtype: 'float32' },
    { name: 'conv1/bias', shape: [2], dtype: 'float32' },
  ];
  const shards = new Map([
    ['a.bin', floats(1, 2, 3, 4).subarray(0, 9)],
    ['b.bin', new Uint8Array([...floats(1, 2, 3, 4).subarray(9), ...floats(5, 6)])],
  ]);

  test('weights run on from one shard to the next', () => {
    const model = readLayersModel(small(weights), shards, 'model.json');
    expect([...model.weights].map(([name, { shape, data }]) => [name, shape, [...data]])).toEqual([
      ['conv1/kernel', [1, 1, 2, 2], [1, 2, 3, 4]],
      ['conv1/bias', [2], [5, 6]],
    ]);
    expect(model.layers.get('conv1')).toEqual({ className: 'Conv2D', config: { name: 'conv1', filters: 2 } });
  });

  test('quantised weights are min + scale·q; halves are widened', () => {
    const quantised = [
      { name: 'x', shape: [2], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } },
      { name: 'y', shape: [1], dtype: 'float32', quantization: { dtype: 'uint16', scale: 2, min: 0 } },
      { name: 'z', shape: [1], dtype: 'float32', quantization: { dtype: 'float16' } },
    ];
    const bytes = new Uint8Array([0, 4, 3, 1, 0x00, 0xc0]);
    const model = readLayersModel(small(quantised, ['a.bin']), new Map([['a.bin', bytes]]), 'model.json');
    expect([...model.weights.values()].map(({ data }) => [...data])).toEqual([[-1, 1], [518], [-2]]);
  });

  test.each([
    ['another format', { format: 'graph-model' }, /is no layers model of TensorFlow.js: its format is graph-model/],
    ['no manifest', { format: 'layers-model' }, /it has no weightsManifest/],
    ['a path out of the folder', small(weights, ['../../etc/passwd']), /"..\/..\/etc\/passwd" is not the plain name/],
    ['a shard that is not there', small(weights, ['c.bin']), /names the shard c.bin, which is not there/],
    ['too few bytes', small(weights, ['a.bin']), /its shards hold 9 bytes, but 'conv1\/kernel' .* ends at byte 16/],
    ['too many bytes', small([weights[0]!]), /its shards hold 24 bytes, but its weights take 16/],
    ['one name twice', small([weights[0]!, weights[0]!]), /names 'conv1\/kernel' twice/],
    ['a type that is none', small([{ ...weights[0], dtype: 'int32' }]), /is of type int32; readable is float32/],
    ['a negative size', small([{ ...weights[0], shape: [-1] }]), /has no shape/],
    ['a size beyond counting', small([{ ...weights[0], shape: [2 ** 40, 2 ** 40] }]), /has no shape/],
    ['a group that is none', { weightsManifest: [{}] }, /has no paths or no weights/],
    ['no layers', { weightsManifest: [] }, /has no layers in its modelTopology/],
    ['a list', [], /it is no JSON object/],
  ])('refuses %s', (_, json, message) => {
    expect(() => readLayersModel(json, shards, 'folder/model.json')).toThrow(message);
    expect(() => readLayersModel(json, shards, 'folder/model.json')).toThrow(/^folder\/model.json: /);
  });
});

describe("Keras's ResNets", () => {
  test('layers have their places in torchvision, in the old names and the new', () => {
    const old = ['conv1', 'bn_conv1', 'res2a_branch1', 'bn2a_branch1', 'res3d_branch2a', 'bn4b22_branch2c', 'fc1000'];
    const now = [
      'conv1_conv',
      'conv1_bn',
      'conv2_block1_0_conv',
      'conv2_block1_0_bn',
      'conv3_block4_1_conv',
      'conv4_block23_3_bn',
      'predictions',
    ];
    const expected = [
      'conv1',
      'bn1',
      'layer1.0.downsample.0',
      'layer1.0.downsample.1',
      'layer2.3.conv1',
      'layer3.22.bn3',
      'fc',
    ];
    expect(old.map(torchvisionModule)).toEqual(expected);
    expect(now.map(torchvisionModule)).toEqual(expected);
    expect(torchvisionModule('block_1_expand')).toBeUndefined();
  });

  /** A ResNet-50 in Keras's names and layouts, one number an element, with biases in the convolutions. */
  function kerasResNet50() {
    const letters = 'abcdef';
    const specs: [string, string, number[]][] = [
      ['conv1', 'kernel', [7, 7, 3, 64]],
      ['conv1', 'bias', [64]],
      ['bn_conv1', 'moving_mean', [64]],
    ];
    [3, 4, 6, 3].forEach((blocks, s) => {
      for (let b = 0; b < blocks; b++) specs.push([`res${s + 2}${letters[b]}_branch2a`, 'kernel', [1, 1, 1, 1]]);
    });
    specs.push(['fc1000', 'kernel', [2, 3]]);
    const weights = specs.map(([name, parameter, shape]) => ({
      name: `${name}/${parameter}`,
      shape,
      dtype: 'float32',
    }));
    let next = 0;
    const values = specs.flatMap(([, , shape]) =>
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => next++),
    );
    const layers = [
      layer('bn_conv1', { epsilon: 0.001 }, 'BatchNormalization'),
      layer('res3a_branch2a', { strides: [2, 2] }),
    ];
    const json = { modelTopology: topology(layers), weightsManifest: [{ paths: ['a.bin'], weights }] };
    return { json, shards: new Map([['a.bin', floats(...values)]]), specs };
  }

  test('are told by their blocks; kernels are transposed, the first one’s channels turned, biases folded', () => {
    const { json, shards } = kerasResNet50();
    const found = readKerasResNet(readLayersModel(json, shards, 'model.json'), 'model.json');
    expect(found).toMatchObject({ network: 'resnet50', epsilon: 0.001, strideIn1x1: true });
    expect(found.mean.map((value) => Math.round(value * 255 * 1000) / 1000)).toEqual([123.68, 116.779, 103.939]);
    const kernel = found.state.get('conv1.weight')!;
    expect(kernel.shape).toEqual([64, 3, 7, 7]);
    // (out 5, in 0, row 1, column 2) is (row 1, column 2, in 2, out 5) of Keras.
    expect(kernel.data[5 * 147 + 0 * 49 + 1 * 7 + 2]).toBe(((1 * 7 + 2) * 3 + 2) * 64 + 5);
    const mean = found.state.get('bn1.running_mean')!.data as Float32Array;
    // Both count on from the kernel's 9408 numbers: the bias first.
    expect([...mean]).toEqual(new Array(64).fill(64));
    expect(found.state.has('conv1.bias')).toBe(false);
    const fc = found.state.get('fc.weight')!;
    expect(fc.shape).toEqual([3, 2]);
    expect([...fc.data].map((value) => Number(value) - Number(fc.data[0]))).toEqual([0, 3, 1, 4, 2, 5]);
  });

  test('anything else is refused by name', () => {
    const { json, shards } = kerasResNet50();
    const other = structuredClone(json);
    other.weightsManifest[0]!.weights[0]!.name = 'block_1_expand/kernel';
    expect(() => readKerasResNet(readLayersModel(other, shards, 'm'), 'm')).toThrow('it has block_1_expand/kernel');
    const norms = structuredClone(json);
    norms.modelTopology.model_config.config.layers.push(layer('bn', { epsilon: 0.1 }, 'BatchNormalization'));
    expect(() => readKerasResNet(readLayersModel(norms, shards, 'm'), 'm')).toThrow('have the ε 0.001, 0.1');
  });

  test('their ε and the place of their stride reach the network', () => {
    const model = createModel('resnet50', {
      epsilon: 1e-3,
      strideIn1x1: true,
      seed: null,
      device: new ReferenceDevice(),
    });
    const modules = model.namedModules();
    expect(modules.get('layer2.0.conv1')).toMatchObject({ stride: 2 });
    expect(modules.get('layer2.0.conv2')).toMatchObject({ stride: 1 });
    expect(modules.get('layer2.0.bn2')).toMatchObject({ epsilon: 1e-3 });
  });
});

describe('loadLayersModel', () => {
  const root = mkdtempSync(join(tmpdir(), 'marsgrad-keras-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const folder = (name: string, files: Record<string, string | Uint8Array>) => {
    mkdirSync(join(root, name));
    for (const [file, content] of Object.entries(files)) writeFileSync(join(root, name, file), content);
    return join(root, name);
  };

  test('reads a folder, and its digest covers model and shards', async () => {
    const json = JSON.stringify(small([{ name: 'conv1/bias', shape: [2], dtype: 'float32' }], ['a.bin']));
    const one = await loadLayersModel(folder('one', { 'model.json': json, 'a.bin': floats(1, 2) }));
    const two = await loadLayersModel(folder('two', { 'model.json': json, 'a.bin': floats(1, 3) }));
    expect([...one.weights.get('conv1/bias')!.data]).toEqual([1, 2]);
    expect(one.sha256).not.toBe(two.sha256);
  });

  test('names the file that is missing or no JSON', async () => {
    const json = JSON.stringify(small([], ['gone.bin']));
    await expect(loadLayersModel(folder('gone', { 'model.json': json }))).rejects.toThrow(
      /gone.bin: there is no such file/,
    );
    await expect(loadLayersModel(folder('bad', { 'model.json': '{' }))).rejects.toThrow(/model.json: is no JSON/);
  });
});
