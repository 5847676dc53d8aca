/** The bounds against direct evaluation over explicit matrices (test/golden/bounds/make_bounds.py), and what the mathematics says of them. */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { BatchNorm2d, Conv2d, Linear, Sequential } from '../../src/nn/layers.ts';
import { Module, parameter } from '../../src/nn/module.ts';
import { concat, conv2d, silu, slice } from '../../src/ops/index.ts';
import {
  chainOf,
  convolutionNorms,
  convolutionSpectralNorm,
  type DataConstants,
  dataConstants,
  generalizationBounds,
  type LayerNorms,
  layerNorms,
  shareWithinMargin,
  spectralNorm,
} from '../../src/regularizers/index.ts';
import { ones, setDefaultDevice, tensor } from '../../src/tensor/create.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { write } from './net.ts';

setDefaultDevice(new ReferenceDevice());
const golden = JSON.parse(readFileSync(new URL('../golden/bounds/bounds.json', import.meta.url), 'utf8'));

/** The script's formula for weights and inputs. */
const wave = (count: number, phase: number): Float64Array =>
  Float64Array.from({ length: count }, (_, k) => Math.sin(1.7 * k + phase) * 0.5 + 0.1 * Math.cos(0.3 * k * phase));

class Dense extends Module {
  readonly headName = 'head';
  first = new Linear(12, 7);
  second = new Linear(7, 6);
  head = new Linear(6, 4);
  forward(x: Tensor): Tensor {
    return this.head.forward(this.second.forward(this.first.forward(x).relu()).relu());
  }
}

class Convolutional extends Module {
  readonly headName = 'head';
  conv = new Conv2d(2, 4, 3, { padding: 1 });
  norm = new BatchNorm2d(4);
  grouped = new Conv2d(4, 6, 3, { stride: 2, padding: 1, groups: 2 });
  dilated = new Conv2d(6, 4, 2, { dilation: 2 });
  head = new Linear(8, 3);
  forward(x: Tensor): Tensor {
    const maps = this.grouped.forward(this.norm.forward(this.conv.forward(x)).relu()).relu();
    return this.head.forward(this.dilated.forward(maps).relu().flatten(1));
  }
}

/** Writes formulas into the model as (now, start) phases per weight; the start is given back as a state dict. */
function fill(model: Module, phases: Record<string, readonly [now: number, start: number]>) {
  const tensors = new Map([...model.namedParameters(), ...model.namedBuffers()]);
  const start = new Map<string, { data: Float64Array }>();
  for (const [name, [now, began]] of Object.entries(phases)) {
    const target = tensors.get(name)!;
    // γ around 1, σ² around 1.5, as in the script.
    const [base, size] = name === 'norm.weight' ? [1, 0.5] : name === 'norm.running_var' ? [1.5, 1] : [0, 1];
    const values = (phase: number) => wave(target.size, phase).map((value) => base + size * value);
    write(target, values(now));
    start.set(name, { data: values(began) });
  }
  return start;
}

const batchOf = (count: number, shape: readonly number[], phase: number) => {
  const size = shape.reduce((product, extent) => product * extent, count);
  return [{ images: wave(size, phase), shape: [count, ...shape] }];
};

const cases = {
  dense: async () => {
    const model = new Dense();
    const start = fill(model, { 'first.weight': [1, 1.2], 'second.weight': [2, 2.2], 'head.weight': [3, 3] });
    return {
      chain: await chainOf(model, start, { inputShape: [12] }),
      data: await dataConstants(batchOf(50, [12], 5), 4),
    };
  },
  convolutional: async () => {
    const model = new Convolutional();
    const start = fill(model, {
      'conv.weight': [1, 1.3],
      'norm.weight': [7, 7.5],
      'norm.running_var': [8, 8.5],
      'grouped.weight': [2, 2.1],
      'dilated.weight': [3, 3.05],
      'head.weight': [4, 4],
    });
    const chain = await chainOf(model, start, { inputShape: [2, 7, 6] });
    return { chain, data: await dataConstants(batchOf(20, [2, 7, 6], 6), 3) };
  },
};

describe.each(Object.entries(cases))('%s net', (name, make) => {
  const expected = golden[name] as { margin: number; bounds: Record<string, number>; layers: Record<string, number>[] };

  test('has the norms of its explicit matrices, and the bounds of the formulas', async () => {
    const { chain, data } = await make();
    expect(chain.outside).toEqual([]);
    expect(chain.outputs).toBe(data.classes);
    expect(chain.inputs).toBe(data.inputs);
    const layers = await layerNorms(chain.layers, { tolerance: 1e-12 });
    for (const [j, { infinity, ...norms }] of expected.layers.entries()) {
      expect(norms.mars).toBeCloseTo(infinity!, 12);
      for (const [norm, value] of Object.entries(norms)) {
        const found = layers[j]![norm as Exclude<keyof LayerNorms, 'name'>];
        expect(Math.abs(found / value - 1), `layer ${j}, ${norm}`).toBeLessThan(1e-10);
      }
    }
    const bounds = generalizationBounds(layers, data, { margin: expected.margin });
    expect(bounds.map(({ id }) => id).sort()).toEqual(Object.keys(expected.bounds).sort());
    for (const { id, log10 } of bounds) {
      expect(Math.abs(10 ** log10 / expected.bounds[id]! - 1), id).toBeLessThan(1e-9);
    }
  });
});

describe('the chain', () => {
  test('folds BatchNorm into the convolution before it, and takes the classifier from zero or from the start', async () => {
    const model = new Convolutional();
    const start = new Map(await model.stateDict());
    const options = { inputShape: [2, 7, 6] };
    const { layers } = await chainOf(model, start, options);
    expect(layers.map(({ name }) => name)).toEqual(['conv + norm', 'grouped', 'dilated', 'head']);
    expect(layers[3]!.start.every((value) => value === 0)).toBe(true);
    const tied = await chainOf(model, start, { ...options, headAnchor: 'initial' });
    expect(tied.layers[3]!.start).toEqual(tied.layers[3]!.weight);
  });

  test('takes a BatchNorm without a convolution for a diagonal layer', async () => {
    const model = new Sequential(new BatchNorm2d(3), new Conv2d(3, 2, 1));
    const norm = model.layers[0] as BatchNorm2d;
    write(norm.weight, [2, -3, 1]);
    const { layers } = await chainOf(model, await model.stateDict(), { inputShape: [3, 4, 4], headName: '1' });
    expect(layers.map(({ name }) => name)).toEqual(['0', '1']);
    expect(layers[0]!.weight[1]).toBeCloseTo(-3 / Math.sqrt(1 + 1e-5), 14);
    const [norms] = await layerNorms(layers);
    expect(norms!.spectral).toBeCloseTo(norms!.mars, 6);
  });

  test('names what the theorems do not cover', async () => {
    class Outside extends Module {
      readonly headName = 'head';
      conv = new Conv2d(3, 3, 3, { padding: 1 });
      scale = parameter(ones([1]));
      head = new Linear(3, 2);
      forward(x: Tensor): Tensor {
        const maps = silu(this.conv.forward(x)).add(x).mul(this.scale);
        return this.head.forward(maps.mean([2, 3]));
      }
    }
    const model = new Outside();
    const { outside } = await chainOf(model, await model.stateDict(), { inputShape: [3, 5, 5] });
    expect(outside).toEqual([
      'paths are joined (residual connections or gates): multiply, add',
      'operations that are no linear map, ReLU or pooling: sigmoid',
      'parameters that belong to no Linear, Conv2d or BatchNorm2d: scale',
    ]);
  });

  test('refuses a starting point that does not fit', async () => {
    const model = new Dense();
    const start = new Map(await model.stateDict());
    start.delete('second.weight');
    await expect(chainOf(model, start, { inputShape: [12] })).rejects.toThrow(
      'the starting point holds nothing for second.weight, which has the shape (6, 7)',
    );
  });
});

describe('the spectral norm', () => {
  const kernel = wave(3 * 2 * 9, 8);
  const geometry = {
    ...{ batch: 1, inChannels: 2, inHeight: 6, inWidth: 5, outChannels: 3, outHeight: 6, outWidth: 5, groups: 1 },
    ...{ kernelHeight: 3, kernelWidth: 3, strideHeight: 1, strideWidth: 1, paddingHeight: 1, paddingWidth: 1 },
    ...{ dilationHeight: 1, dilationWidth: 1 },
  };

  test('of a convolution that wraps around is the one by Fourier transform (Sedghi et al. 2019)', async () => {
    const weight = tensor(kernel, { shape: [3, 2, 3, 3] });
    const wrap = (x: Tensor, axis: 2 | 3): Tensor => {
      const part = (start: number, end: number) =>
        slice(x, axis === 2 ? [{}, {}, { start, end }] : [{}, {}, {}, { start, end }]);
      const size = x.shape[axis]!;
      return concat([part(size - 1, size), x, part(0, 1)], axis);
    };
    const wrapped = (x: Tensor) => conv2d(wrap(wrap(x, 2), 3), weight);
    const { norm, error } = await spectralNorm(wrapped, [1, 2, 6, 5], { tolerance: 1e-12 });
    expect(error).toBeLessThanOrEqual(1e-12);
    expect(norm).toBeCloseTo(golden.circular.fourier, 9);
    expect(norm).toBeCloseTo(golden.circular.matrix, 9);
  });

  test('of zero padding is that of the explicit matrix, at any scale and seed', async () => {
    for (const [scale, seed] of [
      [1, 0],
      [1e-30, 7],
      [1e25, 8],
    ] as const) {
      const scaled = kernel.map((value) => value * scale);
      const { norm } = await convolutionSpectralNorm(scaled, geometry, { tolerance: 1e-12, seed });
      expect(norm / scale).toBeCloseTo(golden.circular.zeroPadded, 9);
    }
    expect((await convolutionSpectralNorm(new Float64Array(54), geometry)).norm).toBe(0);
  });

  test('says how much it may miss when it has to stop early', async () => {
    const { norm, steps, error } = await convolutionSpectralNorm(kernel, geometry, { maxSteps: 6 });
    expect(steps).toBe(6);
    expect(error).toBeGreaterThan(1e-6);
    const short = golden.circular.zeroPadded - norm;
    expect(short).toBeGreaterThan(0);
    expect(short).toBeLessThan(error * norm);
  });

  test('lies between the largest row and the Frobenius norm', async () => {
    const { frobenius } = convolutionNorms(kernel, geometry);
    expect(golden.circular.zeroPadded).toBeLessThan(frobenius);
    // Where nothing is cut off by the edge, ‖M‖_F = √(places)·‖K‖_F.
    const inside = { ...geometry, paddingHeight: 0, paddingWidth: 0, outHeight: 4, outWidth: 3 };
    expect(convolutionNorms(kernel, inside).frobenius).toBeCloseTo(Math.sqrt(12) * Math.hypot(...kernel), 12);
    expect(golden.circular.frobenius).toBeCloseTo(Math.sqrt(30) * Math.hypot(...kernel), 12);
  });
});

describe('the formulas', () => {
  const positive = fc.double({ min: 0.01, max: 100, noNaN: true });
  const layer: fc.Arbitrary<LayerNorms> = fc.record({
    name: fc.constant('layer'),
    inputs: fc.integer({ min: 1, max: 1000 }),
    outputs: fc.integer({ min: 1, max: 1000 }),
    parameters: fc.integer({ min: 1, max: 10_000 }),
    ...{ mars: positive, marsDistance: positive, frobenius: positive, frobeniusDistance: positive },
    ...{ spectral: positive, spectralDistance: positive, rowSumDistance: positive, kernelSumDistance: positive },
  });
  const layers = fc.array(layer, { minLength: 1, maxLength: 6 });
  const constants: fc.Arbitrary<DataConstants> = fc.record({
    examples: fc.integer({ min: 2, max: 1000 }),
    inputs: fc.integer({ min: 2, max: 1000 }),
    classes: fc.integer({ min: 1, max: 100 }),
    ...{ largestElement: positive, rmsNorm: positive, largestPlaceRms: positive },
  });
  const logs = (...parameters: Parameters<typeof generalizationBounds>) =>
    generalizationBounds(...parameters).map(({ log10 }) => log10);
  const scaled = (own: LayerNorms, factor: number): LayerNorms => ({
    ...own,
    ...Object.fromEntries(
      Object.entries(own)
        .filter(([key]) => /mars|frobenius|spectral|Sum/.test(key))
        .map(([key, value]) => [key, Number(value) * factor]),
    ),
  });

  test('theorems 1 and 2 in logarithms are theorems 1 and 2', () => {
    fc.assert(
      fc.property(layers, constants, (own, data) => {
        const depth = own.length;
        const root = Math.sqrt(data.examples);
        const product = (of: (layer: LayerNorms) => number) => own.reduce((all, layer) => all * of(layer), 1);
        const sum = own.reduce((all, { mars, marsDistance }) => all + marsDistance / mars, 0);
        const first = 2 ** (depth + 1) * data.classes * product(({ mars }) => mars) * sum * data.largestElement;
        let [roots, second] = [1, 0];
        for (const { inputs, frobenius, frobeniusDistance } of own) {
          roots *= Math.sqrt(inputs);
          second += frobeniusDistance / (frobenius * roots);
        }
        second *= 2 ** (depth + 0.5) * data.classes * data.rmsNorm;
        second *= product(({ inputs, frobenius }) => Math.sqrt(inputs) * frobenius);
        const found = logs(own, data);
        expect(found[0]).toBeCloseTo(Math.log10((first * Math.log(data.inputs)) / root), 9);
        expect(found[1]).toBeCloseTo(Math.log10((first * Math.sqrt(Math.log(2 * data.inputs))) / root), 9);
        expect(found[2]).toBeCloseTo(Math.log10(second / root), 9);
      }),
    );
  });

  test('double with the weights of one layer; four times the examples halve the peeled ones', () => {
    fc.assert(
      fc.property(layers, constants, fc.nat(), (own, data, pick) => {
        const before = generalizationBounds(own, data);
        const doubled = logs(
          own.map((layer, j) => (j === pick % own.length ? scaled(layer, 2) : layer)),
          data,
        );
        const more = logs(own, { ...data, examples: 4 * data.examples });
        for (const [i, { usesMargin, log10 }] of before.entries()) {
          if (usesMargin) {
            expect(doubled[i]).toBeGreaterThanOrEqual(log10);
          } else {
            expect(doubled[i]! - log10).toBeCloseTo(Math.log10(2), 9);
            expect(more[i]! - log10).toBeCloseTo(-Math.log10(2), 9);
          }
        }
      }),
    );
  });

  test('scale with the inputs, and a wider margin only helps', () => {
    fc.assert(
      fc.property(layers, constants, (own, data) => {
        const { largestElement, rmsNorm, largestPlaceRms } = data;
        const inputs = {
          largestElement: 3 * largestElement,
          rmsNorm: 3 * rmsNorm,
          largestPlaceRms: 3 * largestPlaceRms,
        };
        const [before, larger] = [generalizationBounds(own, data), logs(own, { ...data, ...inputs })];
        const wider = logs(own, data, { margin: 2 });
        for (const [i, { usesMargin, log10 }] of before.entries()) {
          if (usesMargin) expect(wider[i]).toBeLessThanOrEqual(log10);
          else expect([wider[i], larger[i]! - log10]).toEqual([log10, expect.closeTo(Math.log10(3), 9)]);
        }
      }),
    );
  });

  test('a network that has not moved has bounds of zero where distances count, up to 4/m', () => {
    fc.assert(
      fc.property(layers, constants, (own, data) => {
        const unmoved = own.map((layer) => ({
          ...layer,
          ...{ marsDistance: 0, frobeniusDistance: 0, rowSumDistance: 0, kernelSumDistance: 0 },
        }));
        for (const { id, usesDistance, log10 } of generalizationBounds(unmoved, data)) {
          if (!usesDistance) expect(log10).toBeGreaterThan(Number.NEGATIVE_INFINITY);
          else if (id === 'bartlett' || id === 'graf-norms')
            expect(log10).toBeCloseTo(Math.log10(4 / data.examples), 12);
          else expect(log10).toBe(Number.NEGATIVE_INFINITY);
        }
      }),
    );
  });

  test('stay finite where float64 ends', () => {
    const [own] = fc.sample(layer, { numRuns: 1, seed: 3 });
    const [data] = fc.sample(constants, { numRuns: 1, seed: 3 });
    const deep = logs(new Array(500).fill(scaled(own!, 1000)), data!);
    expect(deep.every(Number.isFinite)).toBe(true);
    expect(deep[0]).toBeGreaterThan(308);
  });

  test('refuse what is no margin', () => {
    const [data] = fc.sample(constants, 1);
    expect(() => generalizationBounds([], data!)).toThrow('there are no layers');
    expect(() => generalizationBounds(fc.sample(layer, 1), data!, { margin: 0 })).toThrow('the margin is 0');
  });
});

test('a larger image leaves the MARS norm of a convolution as it is, and raises the Frobenius norm', async () => {
  const model = new Sequential(new Conv2d(2, 3, 3, { padding: 1 }));
  const start = await model.stateDict();
  const normsAt = async (side: number) =>
    (await layerNorms((await chainOf(model, start, { inputShape: [2, side, side] })).layers))[0]!;
  const [small, large] = [await normsAt(6), await normsAt(12)];
  expect(large.mars).toBe(small.mars);
  expect(large.frobenius / small.frobenius).toBeGreaterThan(1.9);
  expect(large.spectral).toBeGreaterThanOrEqual(small.spectral);
});

test('the constants of the data are those of all batches together', async () => {
  const batches = [
    { images: [1, -2, 3, 0], shape: [2, 2] },
    { images: [0, 4], shape: [1, 2] },
  ];
  expect(await dataConstants(batches, 5)).toEqual({
    ...{ examples: 3, inputs: 2, classes: 5, largestElement: 4 },
    rmsNorm: Math.sqrt(30 / 3),
    largestPlaceRms: Math.sqrt(20 / 3),
  });
  await expect(dataConstants([], 5)).rejects.toThrow('there are no examples');
  await expect(dataConstants([...batches, { images: [1], shape: [1, 1] }], 5)).rejects.toThrow('those before it 2');
});

test('the share within the margin counts what is wrong, and what is right by too little', async () => {
  const identity = new Linear(3, 3, { bias: false });
  write(identity.weight, [1, 0, 0, 0, 1, 0, 0, 0, 1]);
  const images = Float32Array.from([3, 1, 0, 3, 1, 0, 0, 1, 0.5, 2, 2, 0]);
  async function* batches() {
    yield { images, shape: [4, 3], labels: Int32Array.from([0, 1, 1, 0]) };
  }
  expect(await shareWithinMargin(identity, batches(), 1)).toBe(3 / 4);
  expect(await shareWithinMargin(identity, batches(), 0.25)).toBe(2 / 4);
});
