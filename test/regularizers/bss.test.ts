/** Batch spectral shrinkage against singular values that are known, and its gradient against central differences. */
import { describe, expect, test } from 'vitest';
import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { smallestSquares } from '../../src/regularizers/bss.ts';
import { bss } from '../../src/regularizers/index.ts';
import { setDefaultDevice, tensor, uniform } from '../../src/tensor/create.ts';
import { Net } from './net.ts';

setDefaultDevice(new ReferenceDevice());

/** Rotations in the first two rows and columns leave the singular values 3, 2, 0.5 of a diagonal matrix. */
function withKnownValues(batch: number, features: number): number[] {
  const matrix = Array.from({ length: batch * features }, () => 0);
  [3, 2, 0.5].forEach((value, i) => {
    matrix[i * features + i] = value;
  });
  const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
  for (let pass = 0; pass < 2; pass++) {
    for (let j = 0; j < features; j++) {
      const [a, b] = [matrix[j]!, matrix[features + j]!];
      [matrix[j], matrix[features + j]] = [c * a - s * b, s * a + c * b];
    }
    for (let i = 0; i < batch; i++) {
      const [a, b] = [matrix[i * features]!, matrix[i * features + 2]!];
      [matrix[i * features], matrix[i * features + 2]] = [c * a - s * b, s * a + c * b];
    }
  }
  return matrix;
}

describe('the sum of the smallest squared singular values', () => {
  test.each([
    [3, 5],
    [5, 3],
    [3, 3],
  ])('of %d images with %d features', async (batch, features) => {
    const x = tensor(withKnownValues(batch, features), { shape: [batch, features] });
    expect(await smallestSquares(x, 1).item()).toBeCloseTo(0.25, 10);
    expect(await smallestSquares(x, 2).item()).toBeCloseTo(4.25, 10);
    expect(await smallestSquares(x, 3).item()).toBeCloseTo(13.25, 10);
    expect(await smallestSquares(x, 9).item()).toBeCloseTo(13.25, 10);
  });

  test.each([
    [4, 7, 1],
    [4, 7, 2],
    [6, 3, 1],
  ])('has the right gradient: (%d, %d), k = %d', async (batch, features, count) => {
    const data = await uniform([batch, features], 5).data();
    const shape = [batch, features];
    expect(await gradcheck((x) => smallestSquares(x!, count), [{ shape, data }])).toBeLessThan(1e-6);
  });
});

test('as a penalty it looks at what the classifier is given', async () => {
  const model = new Net();
  const penalty = bss(model, { strength: 0.5 });
  expect(() => penalty.loss()).toThrow('run the model first');
  const images = uniform([3, 4, 5, 5], 1);
  model.forward(images);
  const seen = penalty.loss();
  const features = model.depthwise
    .forward(model.grouped.forward(model.norm.forward(model.conv.forward(images)).relu()).relu())
    .mean([2, 3]);
  expect(await seen.item()).toBeGreaterThan(0);
  // BatchNorm in training gives both passes the same statistics.
  expect(await seen.item()).toBeCloseTo(0.5 * (await smallestSquares(features, 1).item()), 10);
  seen.backward();
  expect(model.conv.weight.grad).not.toBeNull();
  penalty.release();
  expect(() => bss(model, { strength: -1 })).toThrow('the strength is -1');
  expect(() => bss(model, { strength: 1, count: 0 })).toThrow('the count is 0');
});
