/** The audit's own formulas against those of the library: two derivations of one thing, which must not share a mistake. */
import { describe, expect, it } from 'vitest';
import {
  boundedNorms,
  clippedGamma,
  diagonalDistances,
  projected,
  rowNorms,
  softThreshold,
} from '../../src/audit/checks/math/balls.ts';
import { differenceHash, hashDistance } from '../../src/audit/checks/math/imageHash.ts';
import { keptShare, nextRadius, type RadiusState } from '../../src/audit/checks/math/learned.ts';
import { learningRateAt, type ScheduleFacts, shiftOf } from '../../src/audit/checks/math/schedules.ts';
import { clipFactor, type OptimizerFacts, updated } from '../../src/audit/checks/math/updates.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { learnRadii, selectiveDecay } from '../../src/kernels/learnedRadii.ts';
import { layerNorms, projectBatchNorm, projectRows, projectRowsL1, rowDistances } from '../../src/kernels/rows.ts';
import { parameter } from '../../src/nn/index.ts';
import { Adam, AdamW, constant, cosine, oneCycle, SGD, stepDecay, withWarmup } from '../../src/optim/index.ts';
import { adamOf } from '../../src/regularizers/ftp.ts';
import { tensor } from '../../src/tensor/create.ts';
import { Random } from '../../src/tensor/random.ts';

const device = new ReferenceDevice();
const random = new Random(7);
const normals = (length: number, scale = 1) => Float64Array.from({ length }, () => scale * random.normal());
const close = (got: ArrayLike<number>, expected: ArrayLike<number>, digits = 1e-12) => {
  expect(got.length).toBe(expected.length);
  for (let i = 0; i < got.length; i++)
    expect(Math.abs(got[i]! - expected[i]!), `element ${i}`).toBeLessThanOrEqual(
      digits * Math.max(1, Math.abs(expected[i]!)),
    );
};

describe('learning rates', () => {
  const facts: ScheduleFacts = {
    name: 'cosine',
    learningRate: 0.05,
    epochs: 6,
    stepsPerEpoch: 7,
    warmupEpochs: 0,
    final: 0.001,
    decayEvery: 2,
    decayFactor: 0.3,
  };
  const total = (warmup: number) => 42 - warmup;
  const library = (name: ScheduleFacts['name'], warmup: number) =>
    withWarmup(
      {
        constant: constant(0.05),
        step: stepDecay({ initial: 0.05, every: 14, factor: 0.3 }),
        cosine: cosine({ initial: 0.05, final: 0.001, total: total(warmup) }),
        'one-cycle': oneCycle({ peak: 0.05, total: total(warmup) }),
      }[name],
      warmup,
    );

  it.each(['constant', 'step', 'cosine', 'one-cycle'] as const)(
    'of %s are the optimisers’, warmed up or not',
    (name) => {
      for (const warmupEpochs of [0, 1.5]) {
        const schedule = library(name, Math.round(warmupEpochs * 7));
        const own = Array.from({ length: 42 }, (_, step) => learningRateAt({ ...facts, name, warmupEpochs }, step));
        close(
          own,
          own.map((_, step) => schedule(step)),
          1e-14,
        );
      }
    },
  );

  it('that are a step early or late are told as that', () => {
    const logged = (shift: number) =>
      Array.from({ length: 30 }, (_, i) => ({ step: i + 5, learningRate: learningRateAt(facts, i + 5 + shift) }));
    expect([1, -1, 2].map((shift) => shiftOf(facts, logged(shift)))).toEqual([1, -1, 2]);
    expect(shiftOf(facts, [{ step: 5, learningRate: 0.7 }])).toBeNull();
  });
});

describe('projections', () => {
  const [rows, length] = [6, 40];
  const anchors = normals(rows * length);
  const weights = anchors.map((w, i) => w + 0.1 * (1 + Math.floor(i / length)) * random.normal());
  const ofRows = Float64Array.from({ length: rows }, (_, row) => (row === 0 ? 1000 : 5));
  const radiiOf = (form: string) =>
    form.startsWith('row') ? ofRows : new Float64Array(rows).fill(form === 'frobenius' ? 2 : 5);
  const table = Int32Array.from({ length: 2 * rows }, (_, i) => (i % 2 ? length : (i / 2) * length));
  const params = { count: rows * length, rowCount: rows };

  function kernelsOwn(form: 'row-radial' | 'row-l1-exact' | 'matrix-radial' | 'frobenius'): Float64Array {
    const radii = radiiOf(form);
    const [l1, squared, norms] = [0, 1, 2].map(() => new Float64Array(rows)) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const out = weights.slice();
    rowDistances.reference({ weights: out, anchors, rows: table, l1, squared }, params, {});
    const layers = Int32Array.of(0, rows);
    const byLayer = (values: Float64Array, norm: 'mars' | 'frobenius') =>
      layerNorms.reference({ values, layers, norms }, { rowCount: rows, layerCount: 1 }, { norm });
    if (form === 'matrix-radial') byLayer(l1, 'mars');
    else if (form === 'frobenius') byLayer(squared, 'frobenius');
    else norms.set(l1);
    const kernel = form === 'row-l1-exact' ? projectRowsL1 : projectRows;
    kernel.reference({ weights: out, anchors, rows: table, norms, radii }, params, {});
    return out;
  }

  it.each(['row-radial', 'row-l1-exact', 'matrix-radial', 'frobenius'] as const)(
    '%s: the kernel’s, feasible, idempotent',
    (form) => {
      const matrix = { weights, anchors, rows };
      const radii = radiiOf(form);
      const out = projected(form, matrix, radii);
      close(out, kernelsOwn(form));
      const norms = boundedNorms(form, { weights: out, anchors, rows });
      for (const [row, norm] of norms.entries()) expect(norm).toBeLessThanOrEqual(radii[row]! * (1 + 1e-12));
      close(projected(form, { weights: out, anchors, rows }, radii), out);
      if (form.startsWith('row')) expect(out.slice(0, length)).toEqual(weights.slice(0, length));
    },
  );

  it('onto the L1 ball is the nearest of many feasible points', () => {
    const moved = normals(12);
    const nearest = softThreshold(moved, 2);
    const distance = (point: ArrayLike<number>) => moved.reduce((sum, t, i) => sum + (t - point[i]!) ** 2, 0);
    expect(nearest.reduce((sum, t) => sum + Math.abs(t), 0)).toBeCloseTo(2, 12);
    for (let k = 0; k < 300; k++) {
      const other = nearest.map((t) => t + 0.05 * random.normal());
      const norm = other.reduce((sum, t) => sum + Math.abs(t), 0);
      expect(distance(other.map((t) => t * Math.min(1, 2 / norm)))).toBeGreaterThan(distance(nearest) - 1e-12);
    }
  });

  it('of a row’s norm lose nothing in long rows', () => {
    const many = new Float64Array(1e6).fill(0.1);
    expect(rowNorms({ weights: many, anchors: new Float64Array(1e6), rows: 1 })[0]).toBeCloseTo(1e5, 9);
  });

  it('of BatchNorm’s diagonal are the kernel’s', () => {
    const channels = 8;
    const [gamma, anchorGamma] = [normals(channels), normals(channels)];
    const [variance, anchorVariance] = [normals(channels).map(Math.abs), normals(channels).map(Math.abs)];
    const radius = new Float64Array(channels).fill(0.4);
    const out = gamma.slice();
    const indices = Int32Array.from({ length: 2 * channels }, (_, i) => Math.floor(i / 2));
    projectBatchNorm.reference(
      {
        weights: out,
        anchors: anchorGamma,
        variances: variance,
        anchorVariances: anchorVariance,
        table: indices,
        radii: radius,
      },
      { count: channels, varianceCount: channels, channels, epsilon: 1e-6 },
      {},
    );
    const layer = { gamma, variance, anchorGamma, anchorVariance };
    close(clippedGamma(layer, radius), out);
    const after = diagonalDistances({ ...layer, gamma: out });
    for (const distance of after) expect(distance).toBeLessThanOrEqual(0.4 + 1e-12);
    expect(Math.max(...after)).toBeCloseTo(0.4, 12);
  });
});

describe('updates', () => {
  const base: OptimizerFacts = {
    name: 'sgd',
    weightDecay: 0.01,
    momentum: 0.9,
    nesterov: false,
    betas: [0.9, 0.99],
    epsilon: 1e-3,
    amsgrad: false,
    semantics: 'pytorch',
  };
  const kinds: [string, OptimizerFacts][] = [
    ['SGD', { ...base, momentum: 0, weightDecay: 0 }],
    ['SGD with momentum and decay', base],
    ['SGD in Nesterov’s form', { ...base, nesterov: true }],
    ['Adam', { ...base, name: 'adam' }],
    ['AMSGrad', { ...base, name: 'adam', amsgrad: true }],
    ['Keras’s AMSGrad', { ...base, name: 'adam', amsgrad: true, semantics: 'keras' }],
    ['AdamW', { ...base, name: 'adamw' }],
  ];

  it.each(kinds)('%s: four steps as the optimiser takes them', async (_, facts) => {
    const start = normals(70);
    const weights = parameter(tensor(start, { shape: [70], device }));
    const options = { ...facts, learningRate: 0.05 };
    const optimizer =
      facts.name === 'sgd'
        ? new SGD([weights], options)
        : new (facts.name === 'adam' ? Adam : AdamW)([weights], options);
    let own: Float64Array = start.slice();
    let moments: Record<string, Float64Array> = Object.fromEntries(
      ['velocity', 'mean', 'square', 'largest'].map((name) => [name, new Float64Array(70)]),
    );
    for (let step = 1; step <= 4; step++) {
      const gradient = normals(70, step === 2 ? 5 : 0.5);
      weights.grad = tensor(gradient, { shape: [70], device });
      optimizer.learningRate = 0.05 / step;
      optimizer.step();
      const next = updated(facts, { weights: own, gradient, moments, learningRate: 0.05 / step, step });
      own = next.weights.values;
      moments = {
        ...moments,
        ...Object.fromEntries(Object.entries(next.moments).map(([name, { values }]) => [name, values])),
      };
      close(own, await weights.data());
      const state = await optimizer.stateDict();
      for (const [name, values] of state.arrays) close(moments[name.replace('.0', '')]!, values.slice(0, 70));
      for (const bound of next.weights.bound) expect(bound).toBeLessThan(1e-3);
    }
  });

  it('clip as PyTorch does', () => {
    expect(clipFactor(10, 1)).toBeCloseTo(0.1, 6);
    expect([clipFactor(0.5, 1), clipFactor(7, null)]).toEqual([1, 1]);
  });
});

describe('learned radii', () => {
  it('of FTP are the kernel’s over many steps', () => {
    let state: RadiusState = [0, 0, 0];
    const held = new Float64Array(3);
    const kept = new Float64Array(3);
    for (let step = 1; step <= 12; step++) {
      const dots = normals(3);
      const norms = normals(3).map((x) => 1 + Math.abs(x));
      const before = kept.slice();
      learnRadii.reference(
        { dots, norms, tensors: Int32Array.of(0, 3), previous: kept, state: held, radii: new Float64Array(3) },
        { ...adamOf(step, 0.01), rowCount: 3, tensorCount: 1, isFirstStep: step === 1 ? 1 : 0, anneal: 0.5 },
        { mode: 'ftp' },
      );
      state = nextRadius({ before: state, dots, previous: before, largest: Math.max(...norms), k: 0.5, step });
      close(state, held);
    }
    expect(state[0]).toBeGreaterThan(1e-8);
  });

  it('of SPD are the kernel’s', () => {
    for (const [against, old, now] of [
      [0.3, 1, 2],
      [-0.3, 1, 2],
      [0.3, 2, 1],
      [0.3, 1, 0],
    ] as const) {
      const kept = new Float64Array(1);
      const [dots, before, after] = [against, old ** 2, now ** 2].map((x) => Float64Array.of(x)) as [
        Float64Array,
        Float64Array,
        Float64Array,
      ];
      selectiveDecay.reference(
        { dots, before, after, tensors: Int32Array.of(0, 1), kept },
        { rowCount: 1, tensorCount: 1, strength: 0.7 },
        {},
      );
      expect(keptShare(against, old, now, 0.7)).toBeCloseTo(kept[0]!, 12);
    }
  });
});

describe('the difference hash', () => {
  const picture = (height: number, width: number, of: (y: number, x: number) => number) => ({
    height,
    width,
    data: Uint8Array.from({ length: 3 * height * width }, (_, i) => {
      const pixel = Math.floor(i / 3);
      return Math.max(0, Math.min(255, of(Math.floor(pixel / width) / height, (pixel % width) / width)));
    }),
  });
  const waves = (y: number, x: number) => 128 + 60 * Math.sin(9 * x + 3 * y) + 50 * Math.cos(7 * y - 2 * x);

  it('hardly changes with size, brightness and noise, and is another for another image', () => {
    const own = differenceHash(picture(32, 32, waves));
    expect(hashDistance(own, differenceHash(picture(64, 48, waves)))).toBeLessThanOrEqual(4);
    expect(hashDistance(own, differenceHash(picture(32, 32, (y, x) => 0.8 * waves(y, x) + 20)))).toBeLessThanOrEqual(2);
    expect(
      hashDistance(own, differenceHash(picture(32, 32, (y, x) => waves(y, x) + 4 * random.normal()))),
    ).toBeLessThanOrEqual(4);
    expect(hashDistance(own, differenceHash(picture(32, 32, (y, x) => waves(1 - y, x))))).toBeGreaterThan(12);
  });
});
