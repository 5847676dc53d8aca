/** First values of parameters: their distributions, and that a seed fixes their bytes on every device. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import {
  Conv2d,
  createModel,
  defaultWeight,
  fans,
  gain,
  type Initializer,
  initialize,
  kaimingNormal,
  kaimingUniform,
  Linear,
  manualSeed,
  normal,
  xavierNormal,
  xavierUniform,
} from '../../src/nn/index.ts';
import { setDefaultDevice } from '../../src/tensor/create.ts';
import { Random } from '../../src/tensor/random.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { devices } from '../kernels/devices.ts';
import { digestOf } from './digest.ts';

setDefaultDevice(new ReferenceDevice());
const values = async (t: Tensor) => Array.from(await t.data());

describe('initialisers', () => {
  const shape = [40, 20, 3, 3];
  const [fanIn, fanOut] = [180, 360];
  test.each<[string, Initializer, number]>([
    ['kaimingUniform', kaimingUniform(), Math.sqrt(2 / fanIn)],
    ['kaimingUniform, fan out', kaimingUniform({ fan: 'fanOut', nonlinearity: 'relu' }), Math.sqrt(2 / fanOut)],
    ['kaimingUniform, linear', kaimingUniform({ nonlinearity: 'linear' }), Math.sqrt(1 / fanIn)],
    ['kaimingNormal', kaimingNormal(), Math.sqrt(2 / fanIn)],
    ['kaimingNormal, slope √5', kaimingNormal({ slope: Math.sqrt(5) }), Math.sqrt(1 / 3 / fanIn)],
    ['xavierUniform', xavierUniform(), Math.sqrt(2 / (fanIn + fanOut))],
    ['xavierNormal, tanh', xavierNormal(gain('tanh')), (5 / 3) * Math.sqrt(2 / (fanIn + fanOut))],
    ["PyTorch's default", defaultWeight, Math.sqrt(1 / 3 / fanIn)],
    ['normal', normal(0, 0.02), 0.02],
  ])('%s has mean 0 and the right deviation', (_, initializer, deviation) => {
    const drawn = initializer(shape, new Random(1));
    const mean = drawn.reduce((a, b) => a + b, 0) / drawn.length;
    const variance = drawn.reduce((a, b) => a + (b - mean) ** 2, 0) / drawn.length;
    // 7,200 values: standard errors of 1/85 of the deviation (mean) and 1/120 (deviation); five of them.
    expect(Math.abs(mean) / deviation).toBeLessThan(0.06);
    expect(Math.abs(Math.sqrt(variance) / deviation - 1)).toBeLessThan(0.042);
  });

  test('uniform ones stay within their bound and come near it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 30 }), fc.nat(), (out, input, seed) => {
        const bound = Math.sqrt(6 / input);
        const drawn = kaimingUniform()([out, input], new Random(seed));
        expect(drawn.every((value) => Math.abs(value) <= Math.fround(bound))).toBe(true);
      }),
      { seed: 5, numRuns: 50 },
    );
    const drawn = defaultWeight([100, 25], new Random(0)).map(Math.abs);
    expect(Math.max(...drawn)).toBeGreaterThan(0.199);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(0.2);
  });

  test('fans count the kernel and the channels of one group', () => {
    expect(fans([8, 4, 3, 5])).toEqual({ fanIn: 60, fanOut: 120 });
    expect(() => fans([8])).toThrow('a tensor of shape (8) has no fan');
  });

  test('nothing is drawn without a generator', async () => {
    const layer = new Linear(3, 2, { random: null });
    expect([await values(layer.weight), await values(layer.bias!)]).toEqual([new Array(6).fill(0), [0, 0]]);
    const model = createModel('resnet20', { seed: null });
    expect(await values(model.head.weight)).toEqual(new Array(640).fill(0));
  });

  test('redraw a tensor in place', async () => {
    const { weight } = new Linear(3, 2);
    initialize(weight, kaimingNormal(), new Random(4));
    expect(await values(weight)).toEqual(Array.from(kaimingNormal()([2, 3], new Random(4))));
  });

  test('a bias is bounded by its weight’s fan', async () => {
    const { bias } = new Conv2d(4, 2000, 2, { random: new Random(2) });
    const largest = Math.max(...(await values(bias!)).map(Math.abs));
    expect(largest).toBeLessThanOrEqual(0.25);
    expect(largest).toBeGreaterThan(0.249);
  });
});

describe('seeds', () => {
  test('manualSeed fixes the layers that have no generator of their own', async () => {
    manualSeed(11);
    const first = await values(new Linear(3, 3).weight);
    const second = await values(new Linear(3, 3).weight);
    manualSeed(11);
    expect(await values(new Linear(3, 3).weight)).toEqual(first);
    expect(second).not.toEqual(first);
  });

  test('a model depends on its seed and on nothing drawn before', async () => {
    const weights = async (seed?: number) =>
      digestOf(await createModel('resnet20', seed === undefined ? {} : { seed }).stateDict());
    const first = await weights(5);
    new Linear(3, 3);
    expect(await weights(5)).toBe(first);
    expect(await weights(6)).not.toBe(first);
    expect(await weights()).toBe(await weights(0));
  });

  test('the same seed gives the same numbers on every device', async () => {
    const digests: string[] = [];
    for (const { open } of devices) {
      const device = await open();
      digests.push(digestOf(await createModel('resnet20', { seed: 3, device }).stateDict()));
      device.close();
    }
    expect(digests).toHaveLength(devices.length);
    expect(new Set(digests).size).toBe(1);
  });
});
