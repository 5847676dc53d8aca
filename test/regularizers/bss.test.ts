/** Batch spectral shrinkage: closed forms, what leaves it unchanged, finite differences, and the same on every device. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { grad } from '../../src/autograd/tape.ts';
import type { Device } from '../../src/devices/device.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { SGD } from '../../src/optim/index.ts';
import { bss, spectralShrinkage } from '../../src/regularizers/index.ts';
import { memory, setDefaultDevice, tensor, uniform } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import { devices } from '../kernels/devices.ts';
import { checkGradients, Net } from './net.ts';

setDefaultDevice(new ReferenceDevice());
const images = () => uniform([3, 4, 5, 5], 21);
const shrinkage = (rows: number[][], count = 1) => spectralShrinkage(tensor(rows), count).item();

describe('the value', () => {
  test('of orthogonal rows is the smallest squared length, or the sum of the smallest', async () => {
    const rows = [
      [3, 0, 0, 4],
      [0, 1, 1, 0],
      [4, 2, -2, -3],
    ];
    expect(await shrinkage(rows)).toBeCloseTo(2, 12);
    expect(await shrinkage(rows, 2)).toBeCloseTo(27, 12);
    expect(await shrinkage(rows, 3)).toBeCloseTo(60, 12);
  });

  test('is that of the transpose, and of permuted and mirrored rows; c·F has c² times it', async () => {
    const element = fc.integer({ min: -8, max: 8 }).map((i) => i / 4);
    const matrix = fc
      .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))
      .chain(([rows, columns]) =>
        fc.array(fc.array(element, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
      );
    const run = fc.asyncProperty(matrix, async (rows) => {
      const value = await shrinkage(rows);
      const transposed = rows[0]!.map((_, j) => rows.map((row) => row[j]!));
      const mirrored = rows.toReversed().map((row, i) => row.map((x) => (i % 2 === 0 ? -x : x)));
      const larger = rows.map((row) => row.map((x) => 3 * x));
      expect(await shrinkage(transposed)).toBeCloseTo(value, 9);
      expect(await shrinkage(mirrored)).toBeCloseTo(value, 9);
      expect(await shrinkage(larger)).toBeCloseTo(9 * value, 8);
    });
    await fc.assert(run, { seed: 5, numRuns: 60 });
  });

  test('is nothing where two images have the same features', async () => {
    const [a, b] = [
      [1, 2, 3, 4],
      [0, 1, -1, 5],
    ];
    expect(await shrinkage([a, b, a])).toBeLessThan(1e-20);
  });
});

describe('the gradient', () => {
  test.each([
    ['fewer images than features', [3, 7], 1],
    ['fewer images than features, two values', [3, 7], 2],
    ['more images than features', [8, 4], 1],
    ['more images than features, three values', [8, 4], 3],
    ['as many', [4, 4], 2],
  ] as const)('agrees with central differences: %s', async (_, shape, count) => {
    const data = await uniform(shape, 9).data();
    await gradcheck((features) => spectralShrinkage(features, count), [{ shape, data }]);
  });

  test('reaches what makes the features, in the penalty of a model', async () => {
    const model = new Net().eval();
    const penalty = bss(model, { strength: 2, count: 2 });
    const loss = () => {
      model.forward(images());
      return penalty.loss();
    };
    await checkGradients([model.conv.weight, model.norm.weight, model.depthwise.weight], loss);
    const [head] = scope(() => grad(loss(), [model.head.weight]));
    expect(Array.from(await head!.data()).every((value) => value === 0)).toBe(true);
  });

  test('has no second derivative, and says so', () => {
    const features = tensor([[1, 2]], { requiresGrad: true });
    const first = spectralShrinkage(features);
    const [gradient] = grad(first, [features], { createGraph: true });
    expect(() => gradient!.sum().backward()).toThrow('spectralShrinkage has no second derivative');
  });
});

test('a step down presses the smallest singular value out by 1 − 2·rate, and leaves the others', async () => {
  const data = await uniform([4, 6], 8).data();
  const features = tensor(data, { shape: [4, 6], requiresGrad: true });
  const before = [1, 2, 3, 4].map((count) => spectralShrinkage(features, count).item());
  const [gradient] = grad(spectralShrinkage(features), [features]);
  const after = features.sub(gradient!.mul(0.2));
  const [smallest, ...others] = await Promise.all(before);
  expect(await spectralShrinkage(after).item()).toBeCloseTo(0.36 * smallest!, 12);
  for (const [i, sum] of others.entries()) {
    expect(await spectralShrinkage(after, i + 2).item()).toBeCloseTo(sum - 0.64 * smallest!, 12);
  }
});

test('the penalty of a model keeps memory flat, and stops watching when released', async () => {
  const model = new Net();
  const penalty = bss(model, { strength: 1 });
  const optimizer = new SGD(model.parameters(), { learningRate: 0.5 });
  const step = () =>
    scope(() => {
      optimizer.zeroGrad();
      model.forward(images());
      penalty.loss().backward();
      optimizer.step();
    });
  step();
  const { bytes } = memory();
  for (let i = 0; i < 5; i++) step();
  expect(memory().bytes).toBe(bytes);
  penalty.release();
  expect(() => {
    step();
  }).toThrow('already freed');
});

describe.each(devices)('on $kind', ({ kind, open }) => {
  let device: Device;
  beforeAll(async () => {
    device = await open();
  });
  afterAll(() => device.close());

  /** Features after a ReLU: positive, and so with one singular value far above the others. */
  async function featuresOf(shape: readonly [number, number]) {
    const values = await uniform(shape, 3).data();
    return Float32Array.from(values, (value) => Math.max(0, value - 0.2));
  }

  test.each([[[24, 60]], [[70, 33]]] as const)('features %j: value and gradient', async (shape) => {
    const data = await featuresOf(shape);
    const on = async (place: Device) => {
      const features = tensor(data, { shape, device: place, requiresGrad: true });
      const loss = spectralShrinkage(features, 2);
      const [gradient] = grad(loss, [features]);
      return { value: await loss.item(), gradient: Array.from(await gradient!.data()) };
    };
    const [found, exact] = [await on(device), await on(new ReferenceDevice())];
    const off = found.gradient.map((g, i) => g - exact.gradient[i]!);
    expect(Math.abs(found.value / exact.value - 1)).toBeLessThan(1e-5);
    expect(Math.hypot(...off) / Math.hypot(...exact.gradient)).toBeLessThan(1e-3);
  });

  test('features that are all alike have a value of zero, to rounding, and a gradient', async () => {
    const features = tensor(new Float32Array(64 * 100).fill(1), { shape: [64, 100], device, requiresGrad: true });
    const loss = spectralShrinkage(features, 3);
    const value = await loss.item();
    expect(value).toBeGreaterThanOrEqual(0);
    expect(value).toBeLessThan(kind === 'reference' ? 1e-20 : 1e-6);
    expect((await grad(loss, [features])[0]!.data()).every(Number.isFinite)).toBe(true);
  });
});

test('a strength of zero is off', async () => {
  expect(await bss(new Net(), { strength: 0 }).loss().item()).toBe(0);
});

test('what does not fit is refused in words', () => {
  const model = new Net().eval();
  expect(() => bss(model, { strength: Number.NaN })).toThrow('the strength is NaN');
  expect(() => bss(model, { strength: 1 }).loss()).toThrow('run the model first');
  const penalty = bss(model, { strength: 1, count: 4 });
  model.forward(images());
  expect(() => penalty.loss()).toThrow('a count of 4; features (3, 4) have 3 singular values');
  expect(() => spectralShrinkage(tensor([1, 2]))).toThrow('features (2): they must be (N, D)');
  expect(() => spectralShrinkage(tensor(new Float32Array(513 * 600), { shape: [513, 600] }))).toThrow(
    'at most 512 rows',
  );
  penalty.release();
});
