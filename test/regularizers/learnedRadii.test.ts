/** FTP, TPGM and SPD against plain implementations of their published rules, written here in float64 with nothing of the library. */
import { describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { manualSeed } from '../../src/nn/index.ts';
import { chain, type Optimizer, SGD } from '../../src/optim/index.ts';
import { type FTP, ftp, interpolateWeights, spd, tpgm } from '../../src/regularizers/index.ts';
import { setDefaultDevice, uniform } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { disturb, l1, Net } from './net.ts';

setDefaultDevice(new ReferenceDevice());
const RATE = 0.05;

const lossOf = (model: Net, step: number): Tensor =>
  model
    .forward(uniform([4, 4, 5, 5], 100 + step))
    .sub(0.3 * step)
    .square()
    .mean();

/** One training step; the gradients that it used, by name. */
async function trainStep(model: Net, optimizer: Optimizer, step: number): Promise<Map<string, number[][]>> {
  scope(() => {
    optimizer.zeroGrad();
    lossOf(model, step).backward();
  });
  const gradients = new Map<string, number[][]>();
  for (const [name, parameter] of model.namedParameters())
    gradients.set(name, rows(parameter, Array.from(await parameter.grad!.data())));
  optimizer.step();
  return gradients;
}

const rows = ({ shape, rank }: Tensor, values: readonly number[]): number[][] => {
  const count = rank > 1 ? shape[0]! : 1;
  const length = values.length / count;
  return Array.from({ length: count }, (_, row) => values.slice(row * length, (row + 1) * length));
};
async function valuesOf(model: Net): Promise<Map<string, number[][]>> {
  const all = new Map<string, number[][]>();
  for (const [name, parameter] of model.namedParameters())
    all.set(name, rows(parameter, Array.from(await parameter.data())));
  return all;
}
const isHead = (name: string) => name.startsWith('head');
const minus = (a: number[][], b: number[][]) => a.map((row, i) => row.map((value, j) => value - b[i]![j]!));
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const clip = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** Adam on a scalar: the radii's own. */
class ScalarAdam {
  mean = 0;
  square = 0;
  next(value: number, gradient: number, step: number): number {
    this.mean = 0.9 * this.mean + 0.1 * gradient;
    this.square = 0.999 * this.square + 0.001 * gradient ** 2;
    const corrected = Math.sqrt(this.square / (1 - 0.999 ** step)) + 1e-8;
    return value - (0.01 * (this.mean / (1 - 0.9 ** step))) / corrected;
  }
}

function expectClose(found: Map<string, number[][]>, expected: Map<string, number[][]>, tolerance: number): void {
  for (const [name, list] of expected) {
    found.get(name)!.forEach((row, i) => {
      row.forEach((value, j) => {
        expect(Math.abs(value - list[i]![j]!), `${name} [${i}, ${j}]`).toBeLessThan(tolerance);
      });
    });
  }
}

describe('FTP', () => {
  test.each([1, 0.3])('takes the steps of its published rule (k = %d)', async (k) => {
    const model = new Net();
    const link = ftp(model, { k });
    const optimizer = chain(new SGD(model.parameters(), { learningRate: RATE }), link);
    const start = await valuesOf(model);
    const gammas = new Map<string, number>();
    const adams = new Map<string, ScalarAdam>();
    const previous = new Map<string, { c: number[][]; norms: number[] }>();
    let weights = start;
    for (let step = 1; step <= 6; step++) {
      const gradients = await trainStep(model, optimizer, step);
      const expected = new Map<string, number[][]>();
      for (const [name, list] of weights) {
        const free = list.map((row, i) => row.map((value, j) => value - RATE * gradients.get(name)![i]![j]!));
        if (isHead(name)) {
          expected.set(name, free);
          continue;
        }
        const origin = start.get(name)!;
        const c = minus(free, origin);
        const norms = c.map((row) => l1(row) + 1e-8);
        if (step === 1) {
          gammas.set(name, 1e-8);
          adams.set(name, new ScalarAdam());
        } else {
          const before = previous.get(name)!;
          let slope = before.c.reduce((sum, row, i) => sum + dot(gradients.get(name)![i]!, row) / before.norms[i]!, 0);
          if (slope > 0) slope *= k;
          const gamma = adams.get(name)!.next(gammas.get(name)!, slope, step);
          gammas.set(name, clip(gamma, 1e-8, Math.max(...norms)));
        }
        previous.set(name, { c, norms });
        const gamma = gammas.get(name)!;
        expected.set(
          name,
          c.map((row, i) => row.map((value, j) => origin[i]![j]! + clip(gamma / norms[i]!, 0, 1) * value)),
        );
      }
      const found = await valuesOf(model);
      expectClose(found, expected, 2e-7);
      for (const [name, gamma] of await link.radii()) expect(gamma, name).toBeCloseTo(gammas.get(name)!, 6);
      weights = found;
    }
    expect(Math.max(...gammas.values())).toBeGreaterThan(0.005);
  });

  test('the slope is the derivative of the loss with respect to the radius', async () => {
    // One tensor, every row on its radius: dL/dγ by central differences through the projection.
    const model = new Net();
    const origin = (await valuesOf(model)).get('conv.weight')!;
    await disturb(model, 0.2, 5);
    const moved = minus((await valuesOf(model)).get('conv.weight')!, origin);
    const norms = moved.map(l1);
    const gamma = 0.5 * Math.min(...norms);
    const { weight } = model.conv;
    const at = async (radius: number) => {
      const values = moved.flatMap((row, i) => row.map((value, j) => origin[i]![j]! + (radius / norms[i]!) * value));
      weight.device.upload(weight.storage.buffer, values, weight.storage.offset);
      weight.storage.markWritten();
      return scope(() => lossOf(model, 1)).item();
    };
    const numeric = ((await at(gamma + 1e-5)) - (await at(gamma - 1e-5))) / 2e-5;
    await at(gamma);
    scope(() => lossOf(model, 1).backward());
    const gradient = rows(weight, Array.from(await weight.grad!.data()));
    const slope = moved.reduce((sum, row, i) => sum + dot(gradient[i]!, row) / norms[i]!, 0);
    expect(slope).toBeCloseTo(numeric, 6);
  });

  test('saved and resumed it goes on alike', async () => {
    const run = async (interrupted: boolean) => {
      manualSeed(4);
      const model = new Net();
      const make = (): [FTP, Optimizer] => {
        const link = ftp(model, { k: 0, anchor });
        return [link, chain(new SGD(model.parameters(), { learningRate: RATE }), link)];
      };
      const anchor = await model.stateDict();
      let [link, optimizer] = make();
      for (let step = 1; step <= 5; step++) {
        await trainStep(model, optimizer, step);
        if (!interrupted) continue;
        const state = await optimizer.stateDict();
        [link, optimizer] = make();
        optimizer.loadStateDict(state);
      }
      return { weights: await valuesOf(model), radii: await link.radii() };
    };
    expect(await run(true)).toEqual(await run(false));
  });

  test('impossible options are refused in words', () => {
    expect(() => ftp(new Net(), { k: 2 })).toThrow('k is 2');
    expect(() => ftp(new Net(), { headName: 'fc' })).toThrow('which layer is the classifier?');
  });
});

describe('TPGM', () => {
  test('takes the steps of its rule: Adam on γ at the projected weights, from half of the least norm', async () => {
    const model = new Net();
    const radii = tpgm(model);
    const start = await valuesOf(model);
    await disturb(model, 0.1, 7);
    const free = await valuesOf(model);
    const gammas = new Map<string, number>();
    const adams = new Map<string, ScalarAdam>();
    for (const [name, list] of free) {
      if (isHead(name)) continue;
      const norms = minus(list, start.get(name)!).map(l1);
      gammas.set(name, clip(Math.min(...norms) / 2, 1e-8, Math.max(...norms)));
      adams.set(name, new ScalarAdam());
    }
    const project = () => {
      const expected = new Map<string, number[][]>();
      for (const [name, list] of free) {
        if (isHead(name)) expected.set(name, list);
        else {
          const origin = start.get(name)!;
          const c = minus(list, origin);
          expected.set(
            name,
            c.map((row, i) => row.map((value, j) => origin[i]![j]! + Math.min(1, gammas.get(name)! / l1(row)) * value)),
          );
        }
      }
      return expected;
    };
    // The same losses on a twin that is given the projected weights.
    const twin = new Net();
    for (let step = 1; step <= 4; step++) {
      const at = project();
      for (const [name, parameter] of twin.namedParameters()) {
        parameter.device.upload(parameter.storage.buffer, at.get(name)!.flat(), parameter.storage.offset);
        parameter.storage.markWritten();
        parameter.grad = null;
      }
      scope(() => lossOf(twin, step).backward());
      for (const [name, list] of free) {
        if (isHead(name)) continue;
        const c = minus(list, start.get(name)!);
        const parameter = twin.namedParameters().get(name)!;
        const gradient = rows(parameter, Array.from(await parameter.grad!.data()));
        const gamma = gammas.get(name)!;
        const slope = c.reduce((sum, row, i) => (l1(row) > gamma ? sum + dot(gradient[i]!, row) / l1(row) : sum), 0);
        gammas.set(name, clip(adams.get(name)!.next(gamma, slope, step), 1e-8, Math.max(...c.map(l1))));
      }
    }
    let call = 0;
    radii.update(() => lossOf(model, ++call), 4);
    for (const [name, gamma] of await radii.radii()) expect(gamma, name).toBeCloseTo(gammas.get(name)!, 5);
    expectClose(await valuesOf(model), project(), 1e-5);
  });
});

describe('SPD', () => {
  test.each([0, 0.4, 1])('takes the steps of its rule (λ = %d)', async (strength) => {
    manualSeed(2);
    const model = new Net();
    const sgd = new SGD(model.parameters(), { learningRate: RATE, momentum: 0.9 });
    const optimizer = chain(sgd, spd(model, { strength }));
    const twin = new Net();
    twin.loadStateDict(await model.stateDict());
    const plain = new SGD(twin.parameters(), { learningRate: RATE, momentum: 0.9 });
    const start = await valuesOf(model);
    const velocities = new Map<string, number[][]>();
    let weights = start;
    let decays = 0;
    for (let step = 1; step <= 8; step++) {
      const gradients = await trainStep(model, optimizer, step);
      const expected = new Map<string, number[][]>();
      for (const [name, list] of weights) {
        const g = gradients.get(name)!;
        const velocity = velocities.get(name)?.map((row, i) => row.map((value, j) => 0.9 * value + g[i]![j]!)) ?? g;
        velocities.set(name, velocity);
        const free = list.map((row, i) => row.map((value, j) => value - RATE * velocity[i]![j]!));
        const [before, after] = [minus(list, start.get(name)!), minus(free, start.get(name)!)];
        const [old, now] = [before, after].map((rows) => Math.hypot(...rows.flat()));
        const goesBack = -dot(g.flat(), before.flat()) < 0;
        const kept = !isHead(name) && goesBack ? 1 - strength * clip((now! - old!) / now!, 0, 1) : 1;
        if (kept < 1) decays++;
        expected.set(
          name,
          after.map((row, i) => row.map((value, j) => start.get(name)![i]![j]! + kept * value)),
        );
      }
      const found = await valuesOf(model);
      expectClose(found, expected, 1e-6);
      weights = found;
      if (strength === 0) {
        await trainStep(twin, plain, step);
        expectClose(await valuesOf(twin), found, 1e-12);
      }
    }
    expect(decays > 0).toBe(strength > 0);
  });
});

describe('WiSE-FT', () => {
  test('goes from the pre-trained to the fine-tuned weights', async () => {
    const model = new Net();
    const from = await model.stateDict();
    await disturb(model, 1, 9);
    const to = await model.stateDict();
    expect(interpolateWeights(from, to, 0)).toEqual(from);
    expect(interpolateWeights(from, to, 1)).toEqual(to);
    const quarter = interpolateWeights(from, to, 0.25).get('conv.weight')!.data;
    Array.from(quarter as Float64Array).forEach((value, i) => {
      const ends = [from, to].map((state) => Number(state.get('conv.weight')!.data[i]));
      expect(value).toBeCloseTo(0.75 * ends[0]! + 0.25 * ends[1]!, 12);
    });
  });

  test('what the pre-trained weights have not, or in another shape, stays as fine-tuned', async () => {
    const model = new Net();
    const to = await model.stateDict();
    const from = new Map([...to].map(([name, entry]) => [name, { ...entry, data: entry.data.slice() }]));
    from.set('head.weight', { shape: [2, 4], dtype: 'f64', data: new Float64Array(8) } as never);
    from.delete('head.bias');
    const between = interpolateWeights(from as never, to, 0.5);
    expect(between.get('head.weight')).toEqual(to.get('head.weight'));
    expect(between.get('head.bias')).toEqual(to.get('head.bias'));
    expect(() => interpolateWeights(new Map(), to, 0.5)).toThrow('no tensor of one name and shape');
    expect(() => interpolateWeights(from as never, to, 1.5)).toThrow('α is 1.5');
  });
});
