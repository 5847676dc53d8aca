/** Recipes: what they say, and what is refused. */
import { describe, expect, it } from 'vitest';
import { parseDimension } from '../../src/experiments/dimension.ts';
import { leastAccuracies } from '../../src/experiments/prune.ts';
import { parseRecipe } from '../../src/experiments/recipe.ts';

const RECIPE = {
  base: { dataset: 'photos', epochs: 3 },
  tasks: { few: { epochs: 5 }, fast: { 'tuned-like': 'few', 'lr-factor': 4 } },
  methods: { none: {}, ball: { method: 'mars-pgm', space: { 'radius-extractor': '0.1..10' } } },
  seeds: [0, 3],
  tune: { 'max-evals': 7, 'startup-trials': 3, seed: 9, 'evaluate-every': 2, space: { lr: '0.001..0.1' } },
};
const changed = (change: object) => () => parseRecipe({ ...RECIPE, ...change });

describe('parseRecipe', () => {
  it('puts a task above the base, and names the method after itself unless it says another', () => {
    const { name, tasks, methods, seeds, tuning } = parseRecipe(RECIPE);
    expect(name).toBe('study');
    expect(tasks).toEqual([
      { name: 'few', options: { dataset: 'photos', epochs: 5 }, tunedLike: null, lrFactor: 1 },
      { name: 'fast', options: { dataset: 'photos', epochs: 3 }, tunedLike: 'few', lrFactor: 4 },
    ]);
    expect(methods.map(({ options }) => options.method)).toEqual(['none', 'mars-pgm']);
    expect(Object.keys(methods[0]!.space)).toEqual(['lr']);
    expect(Object.keys(methods[1]!.space)).toEqual(['lr', 'radius-extractor']);
    expect(seeds).toEqual([0, 3]);
    expect(tuning).toEqual({ maxEvals: 7, startupTrials: 3, seed: 9, evaluateEvery: 2 });
  });

  it.each([
    ['an unknown part', { task: {} }, /there is no "task"/],
    ['no tasks', { tasks: {} }, /no tasks/],
    ['a seed twice', { seeds: [1, 1] }, /twice/],
    ['a seed that is none', { seeds: [1.5] }, /whole numbers/],
    ['a seed among the options', { base: { seed: 1 } }, /stand in "seeds"/],
    ['a name that is no folder', { methods: { '../up': {} } }, /letters, digits/],
    ['tuned like nothing', { tasks: { fast: { 'tuned-like': 'slow' } } }, /"slow" is no task/],
    ['tuned like itself', { tasks: { fast: { 'tuned-like': 'fast' } } }, /no task that is tuned itself/],
    ['nothing to tune', { tune: { 'max-evals': 3 } }, /none: there is nothing to tune/],
    ['a budget of none', { tune: { 'max-evals': 0 } }, /max-evals must be a whole number/],
    ['a range that is none', { tune: { space: { lr: '1..' } } }, /space's lr: "1\.\."/],
    ['an option that is an object', { base: { lr: {} } }, /"lr" must be a text/],
  ])('refuses %s', (_, change, message) => {
    expect(changed(change)).toThrow(message);
  });
});

describe('parseDimension', () => {
  it.each([
    ['0.001..0.1', { kind: 'logUniform', low: 0.001, high: 0.1 }],
    ['1e-4..1', { kind: 'logUniform', low: 1e-4, high: 1 }],
    ['uniform:0..0.99', { kind: 'uniform', low: 0, high: 0.99 }],
    ['10|20|30', { kind: 'choice', options: [10, 20, 30] }],
    ['sgd|adam', { kind: 'choice', options: ['sgd', 'adam'] }],
  ])('%s', (text, dimension) => {
    expect(parseDimension('x', text)).toEqual(dimension);
  });

  it.each(['0..1', '3..2', 'sgd', '1|', '', 'a..b'])('refuses "%s"', (text) => {
    expect(() => parseDimension('x', text)).toThrow(/search space's x/);
  });
});

describe('leastAccuracies', () => {
  const looks = (...accuracies: number[]) => accuracies.map((accuracy, i) => ({ epoch: 5 * (i + 1), accuracy }));

  it('is the median at each look that enough of the earlier trials had', () => {
    const earlier = [looks(0.1, 0.2), looks(0.3, 0.4), looks(0.5), looks(0.6)];
    expect(leastAccuracies(earlier)).toEqual({ 5: 0.4 });
    expect(leastAccuracies([...earlier, looks(0.7, 0.9)], 3)).toEqual({ 5: 0.5, 10: 0.4 });
    expect(leastAccuracies(earlier.slice(1))).toEqual({});
  });
});
