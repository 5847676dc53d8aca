/** Every kind of ball: feasible, idempotent, still inside; the true projections give the nearest point, the others do not. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCpuDevice } from '../../src/devices/cpu/node.ts';
import type { Device } from '../../src/devices/device.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { createModel, Linear } from '../../src/nn/index.ts';
import { Module } from '../../src/nn/module.ts';
import { chain, project, SGD } from '../../src/optim/index.ts';
import { type Ball, type BallOptions, frobeniusBall, layerDistances, marsBall } from '../../src/regularizers/index.ts';
import { memory, setDefaultDevice, uniform } from '../../src/tensor/create.ts';
import { observeLaunches } from '../../src/tensor/launch.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { difference, disturb, l1, Net, rowsOf, write } from './net.ts';

setDefaultDevice(new ReferenceDevice());
const cpu = await createCpuDevice({ threads: 1 });
const TIGHT = 1e-12;

class Wide extends Module {
  readonly headName = 'head';
  head: Linear;
  constructor(inputs: number, device: Device) {
    super();
    this.head = new Linear(inputs, 2, { device });
  }
  forward(x: Tensor): Tensor {
    return this.head.forward(x);
  }
}

const KINDS: Record<string, (model: Module, options: BallOptions) => Ball> = {
  'row-radial': marsBall,
  'row-l1-exact': (model, options) => marsBall(model, { ...options, projection: 'row-l1-exact' }),
  'matrix-radial': (model, options) => marsBall(model, { ...options, projection: 'matrix-radial' }),
  frobenius: frobeniusBall,
};
const norms: Record<string, (rows: number[][]) => number> = {
  'row-radial': (rows) => Math.max(...rows.map(l1)),
  'row-l1-exact': (rows) => Math.max(...rows.map(l1)),
  'matrix-radial': (rows) => Math.max(...rows.map(l1)),
  frobenius: (rows) => Math.hypot(...rows.flat()),
};

/** The L1 projection by sorting (Duchi et al. 2008, figure 1), independent of the kernel's iteration. */
function nearestInL1(row: readonly number[], radius: number): number[] {
  if (l1(row) <= radius) return [...row];
  const sorted = row.map(Math.abs).sort((a, b) => b - a);
  let [sum, theta] = [0, 0];
  sorted.forEach((value, i) => {
    sum += value;
    const candidate = (sum - radius) / (i + 1);
    if (value > candidate) theta = candidate;
  });
  return row.map((value) => Math.sign(value) * Math.max(Math.abs(value) - theta, 0));
}

/** The classifier's rows, tied to zero, after the projection of `rows`. */
async function projected(kind: string, rows: number[][], radius: number): Promise<number[][]> {
  const model = new Net();
  const ball = KINDS[kind]!(model, { extractor: Number.POSITIVE_INFINITY, classifier: radius });
  write(model.head.weight, rows.flat());
  ball.project();
  return rowsOf(model.head.weight);
}

const matrix = fc.array(fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 4, maxLength: 4 }), {
  minLength: 3,
  maxLength: 3,
});
const radii = fc.double({ min: 0.01, max: 8, noNaN: true });

describe.each(Object.keys(KINDS))('%s', (kind) => {
  const norm = norms[kind]!;

  test('lands in the ball, does nothing twice, and leaves what is inside its bits', async () => {
    await fc.assert(
      fc.asyncProperty(matrix, radii, async (rows, radius) => {
        const once = await projected(kind, rows, radius);
        expect(norm(once)).toBeLessThanOrEqual(radius * (1 + TIGHT));
        if (norm(rows) <= radius) expect(once).toEqual(rows);
        const twice = await projected(kind, once, radius);
        expect(Math.max(...difference(twice, once).flat().map(Math.abs))).toBeLessThanOrEqual(1e-12 * radius);
      }),
      { numRuns: 60, seed: 2 },
    );
  });

  test('keeps every layer within its radius at every step of training', async () => {
    const model = new Net();
    const ball = KINDS[kind]!(model, { extractor: 0.05, classifier: 0.5 });
    const optimizer = chain(new SGD(model.parameters(), { learningRate: 0.5, momentum: 0.9 }), project(ball));
    let reached = 0;
    for (let step = 0; step < 8; step++) {
      scope(() => {
        optimizer.zeroGrad();
        model
          .forward(uniform([4, 4, 5, 5], 100 + step))
          .square()
          .mean()
          .backward();
        optimizer.step();
      });
      for (const { layer, mars, frobenius, radius, ratio, kind: layerKind } of await ball.distances()) {
        const distance = kind === 'frobenius' && layerKind !== 'batchNorm2d' ? frobenius : mars;
        expect(distance / radius!, layer).toBeLessThanOrEqual(1 + TIGHT);
        expect(ratio!, layer).toBeCloseTo(distance / radius!, 10);
        reached = Math.max(reached, ratio!);
      }
    }
    expect(reached).toBeGreaterThan(0.99);
  });

  test('radius 0 pins to the anchor, an infinite one does nothing', async () => {
    const model = new Net();
    const start = await rowsOf(model.conv.weight);
    const ball = KINDS[kind]!(model, { extractor: 0, classifier: Number.POSITIVE_INFINITY });
    await disturb(model, 1, 4);
    const head = await rowsOf(model.head.weight);
    ball.project();
    expect(await rowsOf(model.conv.weight)).toEqual(start);
    expect(await rowsOf(model.head.weight)).toEqual(head);
  });

  test('leaves the weights alone where they are at the anchor', async () => {
    const model = new Net();
    const ball = KINDS[kind]!(model, { extractor: 1e-9, classifier: 1e-9, headAnchor: 'initial' });
    const start = await Promise.all(model.parameters().map((parameter) => parameter.data()));
    ball.project();
    expect(await Promise.all(model.parameters().map((parameter) => parameter.data()))).toEqual(start);
  });

  test('projects a whole model in four launches at most, whatever its depth', () => {
    const model = createModel('resnet20', { classes: 10, seed: 1 });
    const ball = KINDS[kind]!(model, { extractor: 1, classifier: 1 });
    ball.project();
    const launches: string[] = [];
    const stop = observeLaunches(({ kernel }) => launches.push(kernel.name));
    ball.project();
    stop();
    expect(launches.length).toBeLessThanOrEqual(4);
    expect(launches.filter((name) => name.startsWith('project'))).toHaveLength(2);
  });

  test('keeps to the radius in float32, with long rows and a first step of Adam, where all elements move alike', async () => {
    const model = new Wide(4608, cpu);
    const start = await model.head.weight.data();
    // Every element survives the exact projection, so every rounding counts.
    const step = 0.01;
    const radius = kind === 'frobenius' ? 0.01 * step * Math.sqrt(2 * 4608) : 0.01 * step * 4608;
    const ball = KINDS[kind]!(model, { extractor: 1, classifier: radius, headAnchor: 'initial' });
    write(
      model.head.weight,
      start.map((value, i) => value + (i % 3 === 0 ? step : -step)),
    );
    expect(await ball.worstRatio()!.item()).toBeCloseTo(100, 1);
    ball.project();
    const ratio = await ball.worstRatio()!.item();
    expect(ratio).toBeLessThanOrEqual(1 + 1e-5);
    expect(ratio).toBeGreaterThan(1 - 1e-5);
  });
});

test.each(['row-radial', 'row-l1-exact'])('%s: a row depends on no other row', async (kind) => {
  await fc.assert(
    fc.asyncProperty(matrix, matrix, radii, async (rows, others, radius) => {
      const [a, b] = [
        await projected(kind, rows, radius),
        await projected(kind, [rows[0]!, others[1]!, others[2]!], radius),
      ];
      expect(a[0]).toEqual(b[0]);
    }),
    { numRuns: 30, seed: 6 },
  );
});

test.each(['matrix-radial', 'frobenius'])('%s scales all of a layer by one number', async (kind) => {
  await fc.assert(
    fc.asyncProperty(matrix, radii, async (rows, radius) => {
      const after = await projected(kind, rows, radius);
      const scale = 1 / Math.max(1, norms[kind]!(rows) / radius);
      const expected = rows.map((row) => row.map((value) => value * scale));
      expect(Math.max(...difference(after, expected).flat().map(Math.abs))).toBeLessThan(1e-12);
    }),
    { numRuns: 30, seed: 7 },
  );
});

describe('what is nearest', () => {
  const squared = (a: number[][], b: number[][]) =>
    difference(a, b)
      .flat()
      .reduce((sum, value) => sum + value ** 2, 0);

  test('row-l1-exact agrees with the projection by sorting', async () => {
    await fc.assert(
      fc.asyncProperty(matrix, radii, async (rows, radius) => {
        const after = await projected('row-l1-exact', rows, radius);
        const expected = rows.map((row) => nearestInL1(row, radius));
        expect(Math.max(...difference(after, expected).flat().map(Math.abs))).toBeLessThan(1e-12);
      }),
      { numRuns: 100, seed: 3 },
    );
  });

  /** max ⟨x − p, y − p⟩ over all y of the ball: ≤ 0 just where p is the point of the (convex) ball nearest to x. */
  const bestImprovement = (kind: string, rows: number[][], after: number[][], radius: number): number => {
    const rest = difference(rows, after);
    const own = rest.map((row, j) => row.reduce((sum, value, i) => sum + value * after[j]![i]!, 0));
    const total = own.reduce((sum, value) => sum + value, 0);
    // The largest ⟨x − p, y⟩: of the L1 ball at a corner of each row, of the Frobenius ball in the direction of x − p.
    if (kind === 'frobenius') return radius * Math.hypot(...rest.flat()) - total;
    return rest.reduce((sum, row) => sum + radius * Math.max(...row.map(Math.abs)), 0) - total;
  };

  test.each(['row-l1-exact', 'frobenius'])('no point of the ball is nearer than that of %s', async (kind) => {
    await fc.assert(
      fc.asyncProperty(matrix, radii, async (rows, radius) => {
        const after = await projected(kind, rows, radius);
        expect(bestImprovement(kind, rows, after, radius)).toBeLessThan(1e-10);
      }),
      { numRuns: 100, seed: 4 },
    );
  });

  test('row-radial is not, and matrix-radial shrinks rows that were inside', async () => {
    const rows = [
      [2, 0.5, 0, 0],
      [0.3, 0, 0, 0],
      [0, 0, 0, 0],
    ];
    const [radial, exact, whole] = await Promise.all(
      ['row-radial', 'row-l1-exact', 'matrix-radial'].map((kind) => projected(kind, rows, 1)),
    );
    expect(bestImprovement('row-l1-exact', rows, exact!, 1)).toBeLessThan(1e-12);
    expect(bestImprovement('row-radial', rows, radial!, 1)).toBeGreaterThan(0.1);
    expect(squared(rows, exact!)).toBeLessThan(squared(rows, radial!));
    expect(exact![0]).toEqual([1, 0, 0, 0]);
    expect(radial![1]).toEqual(rows[1]);
    expect(whole![1]![0]).toBeCloseTo(0.3 / 2.5, 12);
    expect(whole![0]).toEqual(radial![0]);
  });
});

describe('radii', () => {
  const radiusOf = async (ball: Ball) => new Map((await ball.distances()).map(({ layer, radius }) => [layer, radius]));

  test('can be said for single layers', async () => {
    const radii = ({ name }: { name: string }) =>
      name === 'grouped' ? 0.125 : name === 'norm' ? Number.POSITIVE_INFINITY : undefined;
    const found = await radiusOf(marsBall(new Net(), { extractor: 1, classifier: 2, radii }));
    expect(Object.fromEntries(found)).toEqual({ conv: 1, norm: null, grouped: 0.125, depthwise: 1, head: 2 });
    expect(() => marsBall(new Net(), { extractor: 1, classifier: 2, radii: () => -1 })).toThrow('the radius of conv');
  });

  test('relative to the pre-trained rows (MARS) and layers (Frobenius), but for the classifier', async () => {
    const model = new Net();
    const start = await rowsOf(model.conv.weight);
    const ball = marsBall(model, { extractor: 0.25, classifier: 3, relative: true });
    write(model.norm.weight, [2, 1, 1, 1, 1, 1]);
    await disturb(model, 2, 8);
    ball.project();
    const moved = difference(await rowsOf(model.conv.weight), start);
    moved.forEach((row, i) => {
      expect(l1(row)).toBeLessThanOrEqual(0.25 * l1(start[i]!) * (1 + TIGHT));
    });
    expect(moved.some((row, i) => l1(row) > 0.2499 * l1(start[i]!))).toBe(true);
    const found = await radiusOf(ball);
    expect(found.get('conv')).toBeCloseTo(0.25 * Math.max(...start.map(l1)), 12);
    expect(found.get('head')).toBe(3);
    expect(found.get('norm')).toBeCloseTo(0.25 / Math.sqrt(1 + 1e-6), 12);
    const other = new Net();
    const weights = (await rowsOf(other.conv.weight)).flat();
    const whole = await radiusOf(frobeniusBall(other, { extractor: 0.25, classifier: 3, relative: true }));
    expect(whole.get('conv')).toBeCloseTo(0.25 * Math.hypot(...weights), 12);
  });

  test('a depthwise kernel counts as one row where the authors have it so', async () => {
    const model = new Net();
    const ball = marsBall(model, { extractor: 1, classifier: 1, depthwiseRows: 'kernel' });
    const start = await rowsOf(model.depthwise.weight);
    await disturb(model, 2, 6);
    ball.project();
    const moved = difference(await rowsOf(model.depthwise.weight), start);
    expect(l1(moved.flat())).toBeCloseTo(1, 12);
    const rows = new Map((await ball.distances()).map((entry) => [entry.layer, entry.rows]));
    expect([rows.get('depthwise'), rows.get('grouped')]).toEqual([1, 4]);
  });

  test('the classifier can be tied to its initial values', async () => {
    const model = new Net();
    const start = await rowsOf(model.head.weight);
    const ball = marsBall(model, { extractor: 1, classifier: 0, headAnchor: 'initial' });
    await disturb(model, 1, 7);
    ball.project();
    expect(await rowsOf(model.head.weight)).toEqual(start);
  });
});

describe('distances of a pair of models', () => {
  test('are there without a ball, and leave nothing behind', async () => {
    const model = new Net();
    const anchor = await model.stateDict();
    await disturb(model, 0.2, 5);
    const found = await layerDistances(model, { anchor });
    const moved = difference(await rowsOf(model.conv.weight), await rowsOfState(anchor, 'conv.weight', 6));
    expect(found[0]).toMatchObject({ layer: 'conv', radius: null, ratio: null, rowsAtBound: 0 });
    expect(found[0]!.mars).toBeCloseTo(Math.max(...moved.map(l1)), 12);
    expect(found[0]!.frobenius).toBeCloseTo(Math.hypot(...moved.flat()), 12);
    const { storages } = memory();
    await layerDistances(model, { anchor });
    expect(memory().storages).toBe(storages);
  });

  test('count the classifier from zero, or from the other one', async () => {
    const model = new Net();
    const anchor = await model.stateDict();
    await disturb(model, 0.2, 5);
    const head = async (headAnchor: 'zero' | 'initial') =>
      (await layerDistances(model, { anchor, headAnchor })).find(({ isHead }) => isHead)!.mars;
    const now = await rowsOf(model.head.weight);
    expect(await head('zero')).toBeCloseTo(Math.max(...now.map(l1)), 12);
    const moved = difference(now, await rowsOfState(anchor, 'head.weight', 3));
    expect(await head('initial')).toBeCloseTo(Math.max(...moved.map(l1)), 12);
  });

  test('need no classifier', async () => {
    const model = new Net();
    const anchor = await model.stateDict();
    await disturb(model, 0.2, 5);
    const found = await layerDistances(model, { anchor, headName: null });
    expect(found.some(({ isHead }) => isHead)).toBe(false);
    const moved = difference(await rowsOf(model.head.weight), await rowsOfState(anchor, 'head.weight', 3));
    expect(found.at(-1)!.mars).toBeCloseTo(Math.max(...moved.map(l1)), 12);
  });
});

async function rowsOfState(
  state: ReadonlyMap<string, { readonly data: ArrayLike<number | bigint> }>,
  name: string,
  rows: number,
): Promise<number[][]> {
  const values = Array.from(state.get(name)!.data, Number);
  const length = values.length / rows;
  return Array.from({ length: rows }, (_, row) => values.slice(row * length, (row + 1) * length));
}
