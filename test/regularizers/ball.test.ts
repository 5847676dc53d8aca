/** The properties of the MARS projection, from the mathematics (Gouk, Hospedales & Pontil, ICLR 2021). */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { Conv2d, Linear } from '../../src/nn/layers.ts';
import { Module } from '../../src/nn/module.ts';
import { conv2d } from '../../src/ops/index.ts';
import { chain, project, SGD } from '../../src/optim/index.ts';
import { marsBall } from '../../src/regularizers/index.ts';
import { setDefaultDevice, tensor, uniform } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { difference, disturb, l1, Net, rowsOf, write } from './net.ts';

const device = new ReferenceDevice();
setDefaultDevice(device);
const TIGHT = 1e-12;

class OneConvolution extends Module {
  readonly headName = 'head';
  conv: Conv2d;
  head = new Linear(1, 1);
  constructor(inChannels: number, outChannels: number, groups: number) {
    super();
    this.conv = new Conv2d(inChannels, outChannels, 3, { groups, padding: 1 });
  }
  forward(x: Tensor): Tensor {
    return this.conv.forward(x);
  }
}

describe('after the projection', () => {
  test('every row is in its ball, and those that were in it keep their bits', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1e6 }),
        fc.double({ min: 0.01, max: 3, noNaN: true }),
        async (seed, radius) => {
          const model = new Net();
          const layers = { conv: model.conv, grouped: model.grouped, depthwise: model.depthwise };
          const start = new Map(
            await Promise.all(Object.values(layers).map(async (l) => [l, await rowsOf(l.weight)] as const)),
          );
          const ball = marsBall(model, { extractor: radius, classifier: radius });
          await disturb(model, 0.5, seed);
          for (const layer of Object.values(layers)) {
            const before = await rowsOf(layer.weight);
            ball.project();
            const after = await rowsOf(layer.weight);
            const moved = difference(before, start.get(layer)!);
            for (const [i, row] of difference(after, start.get(layer)!).entries()) {
              expect(l1(row)).toBeLessThanOrEqual(radius * (1 + TIGHT));
              if (l1(moved[i]!) <= radius) expect(after[i]).toEqual(before[i]);
              // The closed form: t / max(1, ‖t‖₁ / radius).
              const scale = 1 / Math.max(1, l1(moved[i]!) / radius);
              row.forEach((value, j) => {
                expect(value).toBeCloseTo(moved[i]![j]! * scale, 10);
              });
            }
          }
          for (const row of await rowsOf(model.head.weight)) expect(l1(row)).toBeLessThanOrEqual(radius * (1 + TIGHT));
        },
      ),
      { numRuns: 20, seed: 1 },
    );
  });

  test('a second projection changes nothing beyond rounding', async () => {
    const model = new Net();
    const ball = marsBall(model, { extractor: 0.2, classifier: 0.5 });
    await disturb(model, 1, 3);
    ball.project();
    const once = await Promise.all(model.parameters().map((p) => p.data()));
    ball.project();
    for (const [i, parameter] of model.parameters().entries()) {
      (await parameter.data()).forEach((value, k) => {
        expect(value).toBeCloseTo(once[i]![k]!, 13);
      });
    }
  });

  test('a row depends on no other row', async () => {
    const project = async (first: number) => {
      const model = new Net();
      write(model.head.weight, new Array(12).fill(0.1));
      const ball = marsBall(model, { extractor: 1, classifier: 0.5 });
      write(model.head.weight, [first, 0, 0, 0, 1, 2, 3, 4, 0.1, 0.1, 0.1, 0.1]);
      ball.project();
      return rowsOf(model.head.weight);
    };
    const [a, b] = [await project(100), await project(0.1)];
    expect(a[0]).toEqual([0.5, 0, 0, 0]);
    expect(b[0]).toEqual([0.1, 0, 0, 0]);
    expect(a.slice(1)).toEqual(b.slice(1));
  });

  test('the anchor itself does not move, nor do biases and β', async () => {
    const model = new Net();
    const ball = marsBall(model, { extractor: 0, classifier: Number.POSITIVE_INFINITY });
    const start = await Promise.all(model.parameters().map((p) => p.data()));
    ball.project();
    expect(await Promise.all(model.parameters().map((p) => p.data()))).toEqual(start);
    await disturb(model, 1, 5);
    const biases = [model.conv.bias!, model.norm.bias, model.head.bias!, model.head.weight];
    const before = await Promise.all(biases.map((p) => p.data()));
    ball.project();
    expect(await Promise.all(biases.map((p) => p.data()))).toEqual(before);
    expect(await rowsOf(model.conv.weight)).toEqual(
      await rowsOf(tensor(start[0]!, { shape: model.conv.weight.shape })),
    );
  });

  test('it is radial: inside the ball, but not its nearest point', async () => {
    const model = new Net();
    const ball = marsBall(model, { extractor: 1, classifier: 1 });
    write(model.head.weight, [2, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    ball.project();
    const [row] = await rowsOf(model.head.weight);
    expect(row![0]).toBeCloseTo(0.8, 12);
    expect(row![1]).toBeCloseTo(0.2, 12);
    const distance = Math.hypot(2 - row![0]!, 0.5 - row![1]!);
    // The nearest point of the L1 ball is (1, 0): soft thresholding by θ = 1, then clipped at 0.
    expect(Math.hypot(2 - 1, 0.5)).toBeLessThan(distance);
  });
});

test('what is frozen is left alone, until it thaws', async () => {
  const model = new Net();
  const ball = marsBall(model, { extractor: 0.1, classifier: 0.01 });
  model.head.freeze();
  const before = await rowsOf(model.head.weight);
  ball.project();
  expect(await rowsOf(model.head.weight)).toEqual(before);
  model.head.unfreeze();
  ball.project();
  for (const row of await rowsOf(model.head.weight)) expect(l1(row)).toBeLessThanOrEqual(0.01 * (1 + TIGHT));
});

test('the anchor can be given, as for a run that goes on', async () => {
  const [first, second] = [new Net(), new Net()];
  const anchor = await first.stateDict();
  second.loadStateDict(anchor);
  await disturb(second, 0.5, 2);
  const ball = marsBall(second, { extractor: 0.2, classifier: 1, anchor });
  const before = await ball.distances();
  expect(before[0]!.mars).toBeGreaterThan(0.2);
  ball.project();
  const moved = difference(await rowsOf(second.conv.weight), await rowsOf(first.conv.weight));
  expect(Math.max(...moved.map(l1))).toBeCloseTo(0.2, 12);
  expect(() => marsBall(second, { extractor: 1, classifier: 1, anchor: new Map() })).toThrow(
    'the anchor holds nothing for conv.weight',
  );
});

test('BatchNorm is clipped on its diagonal γ/√(σ² + 10⁻⁶), with the current variance', async () => {
  const model = new Net();
  write(model.norm.weight, [1, 1, 1, 1, 1, 1]);
  write(model.norm.runningVariance, [1, 1, 4, 4, 1, 1]);
  const ball = marsBall(model, { extractor: 0.25, classifier: 1 });
  write(model.norm.weight, [1.2, 2, 1, 9, -1, 1]);
  write(model.norm.runningVariance, [1, 1, 4, 4, 1, 0.25]);
  ball.project();
  const diagonal = (gamma: number, variance: number) => gamma / Math.sqrt(variance + 1e-6);
  const anchors = [1, 1, 4, 4, 1, 1].map((variance) => diagonal(1, variance));
  const variances = [1, 1, 4, 4, 1, 0.25];
  const gammas = await model.norm.weight.data();
  expect(gammas[0]).toBe(1.2);
  expect(gammas[2]).toBe(1);
  const moved = [...gammas].map((gamma, c) => diagonal(gamma, variances[c]!) - anchors[c]!);
  expect(moved[1]).toBeCloseTo(0.25, 12);
  expect(moved[3]).toBeCloseTo(0.25, 12);
  expect(moved[4]).toBeCloseTo(-0.25, 12);
  // γ did not change, but its variance did: 1/0.5 is 1 away from 1, so γ must shrink.
  expect(moved[5]).toBeCloseTo(0.25, 12);
});

describe('distances', () => {
  test('are the norms of the differences, per layer', async () => {
    const model = new Net();
    const start = await rowsOf(model.grouped.weight);
    const ball = marsBall(model, { extractor: 0.3, classifier: Number.POSITIVE_INFINITY });
    await disturb(model, 0.1, 9);
    const moved = difference(await rowsOf(model.grouped.weight), start);
    const distances = new Map((await ball.distances()).map((entry) => [entry.layer, entry]));
    expect([...distances.keys()]).toEqual(['conv', 'norm', 'grouped', 'depthwise', 'head']);
    const grouped = distances.get('grouped')!;
    expect(grouped.mars).toBeCloseTo(Math.max(...moved.map(l1)), 12);
    expect(grouped.frobenius).toBeCloseTo(Math.hypot(...moved.flat()), 12);
    expect(grouped.rows).toBe(4);
    expect(distances.get('depthwise')!.rows).toBe(4);
    const head = distances.get('head')!;
    expect(head.mars).toBeCloseTo(Math.max(...(await rowsOf(model.head.weight)).map(l1)), 12);
    expect(head.radius).toBeNull();
    ball.project();
    const worst = (await ball.distances()).filter(({ radius }) => radius !== null);
    expect(Math.max(...worst.map(({ mars }) => mars))).toBeCloseTo(await ball.worstRatio()!.mul(0.3).item(), 6);
    expect(worst.some(({ rowsAtBound }) => rowsAtBound > 0)).toBe(true);
  });

  test('of a convolution kernel equal the ∞-norm of the matrix that it is', async () => {
    for (const [inChannels, outChannels, groups] of [
      [2, 3, 1],
      [4, 4, 2],
      [3, 3, 3],
    ] as const) {
      const weight = tensor(
        await uniform([outChannels, inChannels / groups, 3, 3], 11)
          .sub(0.5)
          .data(),
        {
          shape: [outChannels, inChannels / groups, 3, 3],
        },
      );
      const columns: number[][] = [];
      const size = inChannels * 5 * 5;
      for (let i = 0; i < size; i++) {
        const unit = new Float64Array(size);
        unit[i] = 1;
        const image = tensor(unit, { shape: [1, inChannels, 5, 5] });
        columns.push(Array.from(await conv2d(image, weight, { padding: 1, groups }).data()));
      }
      const norm = Math.max(...columns[0]!.map((_, row) => l1(columns.map((column) => column[row]!))));
      const model = new OneConvolution(inChannels, outChannels, groups);
      write(model.conv.weight, new Array(weight.size).fill(0));
      const ball = marsBall(model, { extractor: 1, classifier: 1 });
      write(model.conv.weight, await weight.data());
      expect((await ball.distances())[0]!.mars).toBeCloseTo(norm, 12);
    }
  });
});

test('training under the projection never leaves the ball; without it, it does', async () => {
  const train = async (constrained: boolean): Promise<number> => {
    const model = new Net();
    const ball = marsBall(model, { extractor: 0.05, classifier: 0.5 });
    const sgd = new SGD(model.parameters(), { learningRate: 0.5, momentum: 0.9 });
    const optimizer = constrained ? chain(sgd, project(ball)) : sgd;
    let worst = 0;
    for (let step = 0; step < 10; step++) {
      const ratio = scope(() => {
        const x = uniform([4, 4, 5, 5], 100 + step);
        optimizer.zeroGrad();
        model.forward(x).square().mean().backward();
        optimizer.step();
        return ball.worstRatio()!;
      });
      worst = Math.max(worst, await ratio.item());
    }
    return worst;
  };
  expect(await train(true)).toBeLessThanOrEqual(1 + TIGHT);
  expect(await train(false)).toBeGreaterThan(1.5);
});

test('what cannot be constrained is refused in words', () => {
  expect(() => marsBall(new Net(), { extractor: -1, classifier: 1 })).toThrow('the extractor radius is -1');
  expect(() => marsBall(new Net(), { extractor: 1, classifier: Number.NaN })).toThrow('classifier radius is NaN');
  expect(() => marsBall(new Net(), { extractor: 1, classifier: 1, headName: 'fc' })).toThrow(
    'Give headName, one of: conv',
  );
});
