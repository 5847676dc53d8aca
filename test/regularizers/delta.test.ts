/** DELTA against its formula, finite differences, and channels of which one is known to matter. */
import { expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { SGD } from '../../src/optim/index.ts';
import { attention } from '../../src/regularizers/deltaWeights.ts';
import { delta, deltaChannelWeights } from '../../src/regularizers/index.ts';
import { setDefaultDevice, tensor, uniform } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import { checkGradients, disturb, Net, rowsOf, write } from './net.ts';

setDefaultDevice(new ReferenceDevice());
const images = () => uniform([3, 4, 5, 5], 21);
const WEIGHTS = { grouped: [0.1, 0.2, 0.3, 0.4], conv: [0.3, 0.1, 0.1, 0.2, 0.1, 0.2] };

/** A network and its source, which it has left. */
async function pair() {
  const [model, source] = [new Net(), new Net()];
  source.loadStateDict(await model.stateDict());
  await disturb(model, 0.5, 3);
  model.eval();
  return { model, source };
}

/** ½·Σ_b Σ_c C·ω_c·‖ΔF‖²/(HW), or the mean of ω_c·ΔF². */
async function expected(model: Net, source: Net, form: 'original' | 'authors', layers: (keyof typeof WEIGHTS)[]) {
  let sum = 0;
  for (const layer of layers) {
    const map = async (net: Net) => {
      const first = net.conv.forward(images());
      const out = layer === 'conv' ? first : net.grouped.forward(net.norm.forward(first).relu());
      return { shape: out.shape, data: await out.data() };
    };
    const [a, b] = [await map(model), await map(source)];
    const [batch, channels, height, width] = a.shape as [number, number, number, number];
    const plane = height * width;
    a.data.forEach((value, i) => {
      const weight = WEIGHTS[layer][Math.floor(i / plane) % channels]!;
      const scale = form === 'original' ? (0.5 * channels) / plane : 1 / (batch * channels * plane);
      sum += scale * weight * (value - b.data[i]!) ** 2;
    });
  }
  return sum;
}

test.each(['original', 'authors'] as const)('the %s value is its formula', async (form) => {
  const { model, source } = await pair();
  source.eval();
  const layers = ['conv', 'grouped'] as const;
  const value = await expected(model, source, form, [...layers]);
  const penalty = delta(model, source, { extractor: 0.7, layers, weights: WEIGHTS, form });
  model.forward(images());
  expect(await penalty.loss(images()).item()).toBeCloseTo(0.7 * value, 7);
});

test('the head is penalised by ½β‖W‖², its bias too', async () => {
  const { model, source } = await pair();
  const penalty = delta(model, source, { extractor: 0, classifier: 0.3, layers: ['conv'], weights: 'uniform' });
  model.forward(images());
  const parameters = [...(await rowsOf(model.head.weight)).flat(), ...(await model.head.bias!.data())];
  const squares = parameters.reduce((sum, value) => sum + value ** 2, 0);
  expect(await penalty.loss(images()).item()).toBeCloseTo(0.15 * squares, 7);
});

test('the gradient agrees with central differences, and reaches the model alone', async () => {
  const { model, source } = await pair();
  const penalty = delta(model, source, { extractor: 0.7, classifier: 0.2, layers: ['grouped'], weights: WEIGHTS });
  const weights = [model.conv.weight, model.norm.weight, model.grouped.weight, model.head.weight];
  await checkGradients(weights, () => {
    model.forward(images());
    return penalty.loss(images());
  });
  expect(source.parameters().every(({ requiresGrad }) => !requiresGrad)).toBe(true);
});

test('with a large coefficient the maps come back, whatever the labels', async () => {
  const { model, source } = await pair();
  const penalty = delta(model, source, { extractor: 1, layers: ['conv'], weights: 'uniform' });
  const optimizer = new SGD(model.parameters(), { learningRate: 0.02 });
  const step = () =>
    scope(() => {
      optimizer.zeroGrad();
      model.forward(images());
      const loss = penalty.loss(images());
      loss.backward();
      optimizer.step();
      return loss;
    });
  const first = await step().item();
  for (let i = 0; i < 150; i++) step().dispose();
  expect(await step().item()).toBeLessThan(first / 10);
});

test('attention is the softmax of the z-scores over 5', () => {
  const found = attention([0, 1, 2]);
  const powers = [-1, 0, 1].map((z) => Math.exp((z * Math.sqrt(1.5)) / 5));
  const sum = powers.reduce((a, b) => a + b, 0);
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(powers[i]! / sum, 12);
  });
  expect(Array.from(attention([3, 3]))).toEqual([0.5, 0.5]);
});

test.each(['original', 'authors'] as const)(
  'the one channel that tells the classes apart gets the most (%s)',
  async (form) => {
    const source = new Net();
    // The first filter of the last convolution looks at brightness; the others give nothing.
    write(source.depthwise.weight, [...new Array(9).fill(1), ...new Array(27).fill(0)]);
    write(source.depthwise.bias!, [0, 0, 0, 0]);
    const labels = Int32Array.from({ length: 12 }, (_, i) => i % 2);
    const pixels = await uniform([12, 4, 5, 5], 4).data();
    const batch = {
      images: Float32Array.from(pixels, (value, i) => value + 4 * labels[Math.floor(i / 100)]!),
      shape: [12, 4, 5, 5],
      labels,
    };
    const weights = await deltaChannelWeights(source, [batch], { layers: ['depthwise'], form, epochs: 200 });
    const [first, ...others] = weights.depthwise!;
    expect(others.every((other) => Math.abs(other - others[0]!) < 1e-9)).toBe(true);
    expect(first).toBeGreaterThan(others[0]!);
    if (form === 'authors') expect(others[0]).toBeCloseTo(0.5, 9);
    else expect(first! + 3 * others[0]!).toBeCloseTo(1, 12);
  },
);

test('what does not fit is refused in words', async () => {
  const { model, source } = await pair();
  expect(() => delta(model, source, { extractor: Number.NaN, layers: ['conv'], weights: 'uniform' })).toThrow(
    'the extractor coefficient is NaN',
  );
  expect(() => delta(model, source, { extractor: 1, layers: [], weights: 'uniform' })).toThrow('no layers');
  const wrong = delta(model, source, { extractor: 1, layers: ['conv'], weights: { conv: [1, 2] } });
  model.forward(images());
  expect(() => wrong.loss(images())).toThrow('2 weights for the 6 channels of conv');
  const flat = delta(model, source, { extractor: 1, layers: ['head'], weights: 'uniform' });
  model.forward(images());
  expect(() => flat.loss(images())).toThrow('both must be (N, C, H, W)');
  expect(() => wrong.loss(tensor([1]))).toThrow();
});
