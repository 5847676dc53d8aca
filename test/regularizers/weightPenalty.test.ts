/** L2-SP and MARS-SP against their formulas, and their gradients against central differences in float64. */
import { describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { SGD } from '../../src/optim/index.ts';
import { l2sp, marsSp, type WeightPenalty } from '../../src/regularizers/index.ts';
import { setDefaultDevice } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import { checkGradients, difference, disturb, l1, Net, rowsOf } from './net.ts';

setDefaultDevice(new ReferenceDevice());
const COEFFICIENTS = { extractor: 0.3, classifier: 0.07 };

/** A network that moved from where its penalty is tied, and both. */
async function moved(make: (model: Net) => WeightPenalty) {
  const model = new Net();
  const layers = () => Promise.all([model.conv, model.grouped, model.depthwise].map(({ weight }) => rowsOf(weight)));
  const start = await layers();
  const gamma = Array.from(await model.norm.weight.data());
  const penalty = make(model);
  await disturb(model, 1, 17);
  const ends = await layers();
  return {
    model,
    penalty,
    differences: ends.map((rows, i) => difference(rows, start[i]!)),
    gammas: Array.from(await model.norm.weight.data(), (value, c) => value - gamma[c]!),
    head: await rowsOf(model.head.weight),
  };
}

const squares = (rows: number[][]) => rows.flat().reduce((sum, value) => sum + value ** 2, 0);
const mars = (rows: number[][]) => Math.max(...rows.map(l1));
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
const { extractor: a, classifier: b } = COEFFICIENTS;

describe('the value', () => {
  test('of L2-SP is α/2·Σ(w − w⁰)² + β/2·Σw² of the classifier', async () => {
    const { penalty, differences, head } = await moved((model) => l2sp(model, COEFFICIENTS));
    const expected = (a / 2) * sum(differences.map(squares)) + (b / 2) * squares(head);
    expect(await penalty.loss().item()).toBeCloseTo(expected, 6);
  });

  test('of the authors’ L2-SP has no ½, and counts γ', async () => {
    const { penalty, differences, gammas, head } = await moved((m) => l2sp(m, { ...COEFFICIENTS, form: 'authors' }));
    const expected = a * (sum(differences.map(squares)) + squares([gammas])) + b * squares(head);
    expect(await penalty.loss().item()).toBeCloseTo(expected, 6);
  });

  test.each([
    ['max', (gammas: number[]) => Math.max(...gammas.map(Math.abs))],
    ['sum', l1],
    ['none', () => 0],
  ] as const)('of MARS-SP is α·Σ max row + β·max row of the classifier (γ: %s)', async (batchNorm, ofGamma) => {
    const { penalty, differences, gammas, head } = await moved((m) => marsSp(m, { ...COEFFICIENTS, batchNorm }));
    const expected = a * (sum(differences.map(mars)) + ofGamma(gammas)) + b * mars(head);
    expect(await penalty.loss().item()).toBeCloseTo(expected, 6);
  });

  test('is zero where both coefficients are', async () => {
    expect(await l2sp(new Net(), { extractor: 0, classifier: 0 }).loss().item()).toBe(0);
  });
});

describe('the gradient', () => {
  const makers: Record<string, (model: Net) => WeightPenalty> = {
    'L2-SP': (model) => l2sp(model, COEFFICIENTS),
    'L2-SP, authors': (model) => l2sp(model, { ...COEFFICIENTS, form: 'authors' }),
    'MARS-SP': (model) => marsSp(model, COEFFICIENTS),
    'MARS-SP, sum over γ': (model) => marsSp(model, { ...COEFFICIENTS, batchNorm: 'sum' }),
  };
  test.each(Object.entries(makers))('of %s agrees with central differences', async (_, make) => {
    const { model, penalty } = await moved(make);
    const weights = [model.conv, model.norm, model.grouped, model.depthwise, model.head].map(({ weight }) => weight);
    await checkGradients(weights, () => penalty.loss());
  });

  test('of MARS-SP reaches the largest row of each layer alone', async () => {
    const { model, penalty, differences } = await moved((m) => marsSp(m, COEFFICIENTS));
    new SGD(model.parameters(), { learningRate: 1 }).zeroGrad();
    penalty.loss().backward();
    const gradients = await rowsOf(model.conv.weight.grad!);
    const largest = differences[0]!.map(l1).indexOf(mars(differences[0]!));
    gradients.forEach((row, i) => {
      const signs = differences[0]![i]!.map((value) => a * Math.sign(value));
      row.forEach((value, j) => {
        expect(value).toBeCloseTo(i === largest ? signs[j]! : 0, 7);
      });
    });
  });
});

test('a step down the penalty brings the weights nearer', async () => {
  const { model, penalty } = await moved((m) => l2sp(m, { extractor: 1, classifier: 1 }));
  const optimizer = new SGD(model.parameters(), { learningRate: 0.5 });
  const value = () => scope(() => penalty.loss()).item();
  const before = await value();
  scope(() => {
    optimizer.zeroGrad();
    penalty.loss().backward();
    optimizer.step();
  });
  expect(await value()).toBeCloseTo(before / 4, 6);
});

test('coefficients that are none are refused in words', () => {
  expect(() => l2sp(new Net(), { extractor: Number.POSITIVE_INFINITY, classifier: 1 })).toThrow(
    'l2-sp: the extractor coefficient is Infinity',
  );
  expect(() => marsSp(new Net(), { extractor: 1, classifier: -1 })).toThrow('classifier coefficient is -1');
});
