/** Every penalty and its gradient against PyTorch's, in float64 (test/golden/regularizers/make_penalties.py, which tells the formulas). */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { grad } from '../../src/autograd/tape.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { bss, delta, l2sp, marsSp, type Penalty } from '../../src/regularizers/index.ts';
import { setDefaultDevice, tensor } from '../../src/tensor/create.ts';
import { Net, write } from './net.ts';

setDefaultDevice(new ReferenceDevice());

interface Golden {
  readonly value: number;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}
const golden: Record<string, Golden> = JSON.parse(
  readFileSync(new URL('../golden/regularizers/penalties.json', import.meta.url), 'utf8'),
);

const wave = (count: number, size: number, shift: number) =>
  Float64Array.from({ length: count }, (_, i) => size * Math.sin(1.3 * i + shift));

function netAt(shift: number): Net {
  const net = new Net();
  for (const [k, parameter] of net.parameters().entries()) write(parameter, wave(parameter.size, 0.5, k + shift));
  return net.eval();
}

const IMAGES = tensor(wave(300, 1, 0.5), { shape: [3, 4, 5, 5] });
const both = { extractor: 0.3, classifier: 0.07 };
const weights = { conv: [0.3, 0.1, 0.1, 0.2, 0.1, 0.2], grouped: [0.1, 0.2, 0.3, 0.4] };
const start = { anchor: await netAt(0).stateDict() };

const penalties: Record<string, (model: Net, source: Net) => Penalty> = {
  l2sp: (model) => l2sp(model, { ...both, ...start }),
  'l2sp, authors': (model) => l2sp(model, { ...both, ...start, form: 'authors' }),
  marsSp: (model) => marsSp(model, { ...both, ...start }),
  'marsSp, sum': (model) => marsSp(model, { ...both, ...start, batchNorm: 'sum' }),
  delta: (model, source) => delta(model, source, { ...both, layers: ['conv', 'grouped'], weights }),
  'delta, authors': (model, source) =>
    delta(model, source, { extractor: 0.3, layers: ['grouped'], weights, form: 'authors' }),
  'bss, 1': (model) => bss(model, { strength: 0.3 }),
  'bss, 2': (model) => bss(model, { strength: 0.3, count: 2 }),
};

test('the table is whole', () => {
  expect(Object.keys(penalties)).toEqual(Object.keys(golden));
});

test.each(Object.entries(penalties))('%s', async (name, make) => {
  const model = netAt(0.4);
  const { value, gradients } = golden[name]!;
  const penalty = make(model, netAt(0));
  model.forward(IMAGES);
  const loss = penalty.loss(IMAGES);
  expect(Math.abs((await loss.item()) / value - 1)).toBeLessThan(1e-8);
  const parameters = [...model.namedParameters()];
  const found = grad(
    loss,
    parameters.map(([, parameter]) => parameter),
  );
  for (const [i, [key, parameter]] of parameters.entries()) {
    const expected = gradients[key] ?? new Array<number>(parameter.size).fill(0);
    const scale = Math.max(1e-3, ...expected.map(Math.abs));
    const values = Array.from(await found[i]!.data());
    const worst = Math.max(...values.map((g, j) => Math.abs(g - expected[j]!)));
    expect(worst / scale, key).toBeLessThan(1e-8);
  }
});
