/** SGD and the schedules against PyTorch's numbers (test/golden/optim/make_optim.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { sin } from '../../src/ops/index.ts';
import * as optim from '../../src/optim/index.ts';
import { tensor } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';

const golden = JSON.parse(readFileSync(new URL('../golden/optim/optim.json', import.meta.url), 'utf8'));
const device = new ReferenceDevice();
const leaf = (values: number[]) => tensor(values, { device, requiresGrad: true });

describe('SGD takes the steps of torch.optim.SGD', () => {
  for (const { options, path } of golden.sgd as { options: optim.SGDOptions; path: number[][] }[]) {
    test(JSON.stringify(options), async () => {
      const w = leaf([1, -2, 0.5, 3]);
      const optimizer = new optim.SGD([w], options);
      for (const [step, expected] of path.entries()) {
        scope(() => {
          optimizer.zeroGrad();
          const curvature = tensor([0.5, 1, 2, 0.1], { device });
          w.square()
            .mul(curvature)
            .sum()
            .add(sin(w.add(step)).sum())
            .backward();
          optimizer.step();
        });
        const found = await w.data();
        expected.forEach((value, i) => {
          expect(found[i]).toBeCloseTo(value, 12);
        });
      }
    });
  }
});

/** One step down from 1, 1, … with gradient 1. */
async function stepOnce(optimizer: optim.Optimizer, ws: ReturnType<typeof leaf>[]): Promise<number[]> {
  scope(() => {
    optimizer.zeroGrad();
    ws.map((w) => w.sum())
      .reduce((a, b) => a.add(b))
      .backward();
    optimizer.step();
  });
  return Promise.all(ws.map(async (w) => (await w.data())[0]!));
}

test('groups scale the learning rate and set their own weight decay', async () => {
  const [a, b] = [leaf(new Array(70).fill(1)), leaf([1])];
  const groups = [
    { parameters: [a], learningRateScale: 0.5 },
    { parameters: [b], weightDecay: 2 },
  ];
  const [x, y] = await stepOnce(new optim.SGD(groups, { learningRate: 0.1 }), [a, b]);
  expect(x).toBeCloseTo(1 - 0.1 * 0.5, 12);
  expect(y).toBeCloseTo(1 - 0.1 * (1 + 2), 12);
});

test('a parameter frozen after the optimiser was made keeps its bits, and thaws', async () => {
  const [a, b] = [leaf([1]), leaf([1])];
  const optimizer = new optim.SGD([a, b], { learningRate: 0.1, momentum: 0.9, weightDecay: 0.5 });
  a.requiresGrad = false;
  expect((await stepOnce(optimizer, [a, b]))[0]).toBe(1);
  a.requiresGrad = true;
  expect((await stepOnce(optimizer, [a, b]))[0]).not.toBe(1);
});

test('two optimisers over parts of one arena leave each other alone', async () => {
  const [a, b] = [leaf([1]), leaf([1])];
  const both = new optim.SGD([a, b], { learningRate: 0.1 });
  const first = new optim.SGD([a], { learningRate: 0.1 });
  expect(await stepOnce(both, [a, b])).toEqual([0.9, 0.9]);
  expect((await stepOnce(first, [a, b]))[1]).toBe(0.9);
});

test('state saved and loaded gives the same steps', async () => {
  const run = async (interrupted: boolean) => {
    const w = leaf([1, 2]);
    const options = { learningRate: 0.1, momentum: 0.9 };
    let optimizer = new optim.SGD([w], options);
    for (let i = 0; i < 4; i++) {
      await stepOnce(optimizer, [w]);
      if (!interrupted) continue;
      const state = await optimizer.stateDict();
      optimizer = new optim.SGD([w], options);
      optimizer.loadStateDict(state);
    }
    return Array.from(await w.data());
  };
  expect(await run(true)).toEqual(await run(false));
});

test('a gradient that was set to null counts as zero, not as the one before', async () => {
  const w = leaf([1]);
  const optimizer = new optim.SGD([w], { learningRate: 1 });
  w.mul(5).sum().backward();
  w.grad = null;
  optimizer.step();
  expect(Array.from(await w.data())).toEqual([1]);
  w.grad = null;
  w.mul(-3).sum().backward();
  optimizer.step();
  expect(Array.from(await w.data())).toEqual([4]);
});

test('a gradient recorded with createGraph reaches the step', async () => {
  const [a, b] = [leaf([1]), leaf([2])];
  const optimizer = new optim.SGD([a, b], { learningRate: 1 });
  a.square().add(b.square()).sum().backward({ createGraph: true });
  optimizer.step();
  expect([...(await a.data()), ...(await b.data())]).toEqual([-1, -2]);
});

test('impossible options are refused in words', () => {
  expect(() => new optim.SGD([leaf([1]), { parameters: [leaf([1])] }] as never, { learningRate: 1 })).toThrow(
    'give groups alone',
  );
  expect(() => new optim.SGD([leaf([1]).mul(2)], { learningRate: 1 })).toThrow('only leaves can be trained');
  expect(() => new optim.SGD([leaf([1])], { learningRate: 1, dampening: Number.NaN })).toThrow('dampening is NaN');
  expect(() => new optim.SGD([leaf([1])], { learningRate: -1 })).toThrow('learningRate is -1');
  expect(() => new optim.SGD([leaf([1])], { learningRate: 1, nesterov: true })).toThrow('nesterov needs momentum');
  expect(() => new optim.SGD([], { learningRate: 1 })).toThrow('no parameters');
});

describe('schedules follow torch.optim.lr_scheduler', () => {
  const schedules = {
    oneCycle: optim.oneCycle({ peak: 0.2, total: 20 }),
    cosine: optim.cosine({ initial: 0.2, total: 10 }),
    stepDecay: optim.stepDecay({ initial: 0.2, every: 3, factor: 0.5 }),
  };
  for (const [name, schedule] of Object.entries(schedules)) {
    test(name, () => {
      for (const [step, rate] of (golden[name] as number[]).entries()) expect(schedule(step)).toBeCloseTo(rate, 10);
    });
  }
  test('warm-up rises to the schedule it precedes', () => {
    const rates = [0, 1, 2, 3, 4].map(optim.withWarmup(optim.constant(1), 3));
    expect(rates).toEqual([0.25, 0.5, 0.75, 1, 1]);
  });
});
