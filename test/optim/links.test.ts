/** What surrounds an update: clipped gradients, averaged weights, learning rates by depth. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { createModel, layerwiseGroups } from '../../src/nn/index.ts';
import '../../src/ops/methods.ts';
import { chain, clipGradNorm, ema, gradientNorm, SGD } from '../../src/optim/index.ts';
import { Arena } from '../../src/tensor/arena.ts';
import { tensor } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';

const device = new ReferenceDevice();
const leaf = (values: number[]) => tensor(values, { device, requiresGrad: true });

describe('clipGradNorm', () => {
  test('scales to the norm, leaves shorter gradients their bits, and returns the norm as it was', async () => {
    const vectors = fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 70 });
    await fc.assert(
      fc.asyncProperty(vectors, vectors, fc.double({ min: 0.01, max: 5, noNaN: true }), async (a, b, maxNorm) => {
        const [x, y] = [leaf(a), leaf(b)];
        Arena.of([x, y]);
        x.mul(tensor(a, { device }))
          .sum()
          .add(y.mul(tensor(b, { device })).sum())
          .backward();
        const norm = Math.hypot(...a, ...b);
        expect(await clipGradNorm([x, y], maxNorm).item()).toBeCloseTo(norm, 9);
        const clipped = [...(await x.grad!.data()), ...(await y.grad!.data())];
        const factor = Math.min(1, maxNorm / (norm + 1e-6));
        clipped.forEach((value, i) => {
          expect(value).toBeCloseTo([...a, ...b][i]! * factor, 9);
        });
        expect(Math.hypot(...clipped)).toBeLessThanOrEqual(maxNorm * (1 + 1e-6));
        expect(await gradientNorm([x]).item()).toBeCloseTo(Math.hypot(...clipped), 9);
      }),
      { numRuns: 30, seed: 1 },
    );
  });

  test('refuses a norm that is none', () => {
    expect(() => clipGradNorm([leaf([1])], Number.NaN)).toThrow('maxNorm is NaN');
  });
});

describe('ema', () => {
  const descend = (optimizer: ReturnType<typeof chain>, w: ReturnType<typeof leaf>) =>
    scope(() => {
      optimizer.zeroGrad();
      w.sum().backward();
      optimizer.step();
    });

  test('is d·w̄ + (1 − d)·w after every update, and swaps with the weights', async () => {
    const w = leaf([1, -2]);
    const average = ema([w], 0.75);
    const optimizer = chain(new SGD([w], { learningRate: 0.5 }), average);
    let expected = [1, -2];
    for (let step = 1; step <= 4; step++) {
      descend(optimizer, w);
      expected = expected.map((value, i) => 0.75 * value + 0.25 * ([1, -2][i]! - 0.5 * step));
    }
    average.swap();
    (await w.data()).forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 12);
    });
    average.swap();
    expect(Array.from(await w.data())).toEqual([-1, -4]);
  });

  test('goes on alike when saved and resumed', async () => {
    const run = async (interrupted: boolean) => {
      const w = leaf([1, 2]);
      const make = () => {
        const average = ema([w], 0.9);
        return { average, optimizer: chain(new SGD([w], { learningRate: 0.1, momentum: 0.9 }), average) };
      };
      let { average, optimizer } = make();
      for (let i = 0; i < 4; i++) {
        descend(optimizer, w);
        if (!interrupted) continue;
        const state = await optimizer.stateDict();
        ({ average, optimizer } = make());
        optimizer.loadStateDict(state);
      }
      average.swap();
      return Array.from(await w.data());
    };
    expect(await run(true)).toEqual(await run(false));
    expect(() => ema([leaf([1])], 1)).toThrow('a decay of 1');
  });
});

describe('layerwiseGroups', () => {
  test('go from the stem to the head, blocks one by one, BatchNorm with its convolution', () => {
    const model = createModel('resnet20', { device, classes: 3 });
    const groups = layerwiseGroups(model, { headScale: 10, decay: 0.5 });
    const names = groups.map(({ names }) => names.join('+'));
    expect(names[0]).toBe('conv1+bn1');
    expect(names.slice(1, 4)).toEqual(['layer1.0', 'layer1.1', 'layer1.2']);
    expect(names.at(-1)).toBe('head');
    expect(groups).toHaveLength(11);
    expect(groups.slice(-3).map(({ learningRateScale }) => learningRateScale)).toEqual([0.5, 1, 10]);
    const all = groups.flatMap(({ parameters }) => parameters);
    expect(new Set(all)).toEqual(new Set(model.parameters()));
    expect(all).toHaveLength(model.parameters().length);
    // An optimiser takes them as they are.
    expect(new SGD(groups, { learningRate: 0.1 }).learningRate).toBe(0.1);
    expect(() => layerwiseGroups(model, { decay: 0 })).toThrow('decay is 0');
  });
});
