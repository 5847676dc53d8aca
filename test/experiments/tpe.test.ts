/**
 * TPE against the exact distribution of its proposals (test/golden/experiments/make_tpe.py), as a search that stops and goes on, and on
 * standard functions against random search.
 */
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AUTHORS_SPACES,
  type Dimension,
  minimize,
  type Point,
  type SearchSpace,
  suggest,
  suggestAtRandom,
  type Trial,
} from '../../src/experiments/index.ts';
import { logDensity, logProbability, normalCdf, parzenWindows } from '../../src/experiments/parzen.ts';
import { branin, distractor, hartmann6, quadratic, radii, type TestFunction } from './functions.ts';

type Windows = [weights: number[], centres: number[], widths: number[]];
interface Continuous {
  readonly good: Windows;
  readonly othersFirst: Windows;
  readonly mean: number;
  readonly deviation: number;
  readonly quantiles: [share: number, value: number][];
}
interface Golden {
  readonly trials: number;
  readonly uniform: Continuous;
  readonly logUniform: Continuous;
  readonly quantizedUniform: [value: number, probability: number][];
  readonly choice: number[];
}
const golden: Golden[] = JSON.parse(readFileSync(new URL('../golden/experiments/tpe.json', import.meta.url), 'utf8'));

const SPACE = {
  uniform: { kind: 'uniform', low: -5, high: 10 },
  logUniform: { kind: 'logUniform', low: 1.6, high: 33 },
  quantizedUniform: { kind: 'quantizedUniform', low: 0, high: 20, step: 3 },
  choice: { kind: 'choice', options: ['a', 'b', 'c', 'd'] },
} as const;
const LOG_LOW = Math.log(1.6);
const LOG_HIGH = Math.log(33);

/** The script's history. */
function historyOf(count: number): Trial<typeof SPACE>[] {
  return Array.from({ length: count }, (_, i) => {
    const unit = (phase: number) => 0.5 + 0.5 * Math.sin(2.3 * i + phase);
    const point = {
      uniform: -5 + 15 * unit(0),
      logUniform: Math.exp(LOG_LOW + (LOG_HIGH - LOG_LOW) * unit(1)),
      quantizedUniform: Math.round((20 * unit(2)) / 3) * 3,
      choice: SPACE.choice.options[Math.min(3, Math.floor(4 * unit(3)))]!,
    };
    const loss = (unit(0) - 0.3) ** 2 + 0.5 * (unit(1) - 0.8) ** 2 + 0.01 * Math.cos(5 * i);
    return { point, loss: i % 11 === 7 ? null : loss };
  });
}

describe.each(golden)('after $trials trials', (expected) => {
  const trials = historyOf(expected.trials);

  test('the windows are those of the rules', () => {
    const ranked = [...trials].sort((a, b) => (a.loss ?? 1e9) - (b.loss ?? 1e9));
    const best = new Set(ranked.slice(0, Math.ceil(0.25 * Math.sqrt(trials.length))));
    const near = (found: readonly number[], values: readonly number[]) => {
      values.forEach((value, i) => {
        expect(found[i]).toBeCloseTo(value, 12);
      });
    };
    for (const [name, low, high, scale] of [
      ['uniform', -5, 10, (x: number) => x],
      ['logUniform', LOG_LOW, LOG_HIGH, Math.log],
    ] as const) {
      const windowsOf = (part: Trial<typeof SPACE>[]) =>
        parzenWindows(
          part.map(({ point }) => scale(point[name])),
          low,
          high,
          1,
        );
      const good = windowsOf(trials.filter((trial) => best.has(trial)));
      const others = windowsOf(trials.filter((trial) => !best.has(trial)));
      expect(good.centres).toHaveLength(expected[name].good[1].length);
      for (const [windows, [weights, centres, widths]] of [
        [good, expected[name].good],
        [others, expected[name].othersFirst],
      ] as const) {
        near(windows.weights, weights);
        near(windows.centres, centres);
        near(windows.widths, widths);
      }
    }
  });

  test('proposals have the distribution of the best of 24 candidates', () => {
    const count = 1200;
    const proposals = Array.from({ length: count }, (_, seed) => suggest(SPACE, trials, { seed }));
    // Five standard errors of a share, and one proposal for shares that are next to nothing.
    const slack = (share: number) => 5 * Math.sqrt((share * (1 - share)) / count) + 1 / count;
    const shareOf = (holds: (point: Point<typeof SPACE>) => boolean) => proposals.filter(holds).length / count;
    for (const [name, scale] of [
      ['uniform', (x: number) => x],
      ['logUniform', Math.log],
    ] as const) {
      const { mean, deviation, quantiles } = expected[name];
      const values = proposals.map((point) => scale(point[name]));
      const found = values.reduce((sum, value) => sum + value, 0) / count;
      expect(Math.abs(found - mean), `${name}, mean`).toBeLessThan((5 * deviation) / Math.sqrt(count));
      for (const [share, value] of quantiles) {
        const below = values.filter((own) => own <= value).length / count;
        expect(Math.abs(below - share), `${name}, quantile ${share}`).toBeLessThan(slack(share));
      }
    }
    for (const [value, share] of expected.quantizedUniform) {
      const found = shareOf((point) => point.quantizedUniform === value);
      expect(Math.abs(found - share), `quantizedUniform ${value}`).toBeLessThan(slack(share));
    }
    for (const [i, share] of expected.choice.entries()) {
      const found = shareOf((point) => point.choice === SPACE.choice.options[i]);
      expect(Math.abs(found - share), `choice ${i}`).toBeLessThan(slack(share));
    }
  });
});

describe('Parzen windows', () => {
  test('are a density on their range, and quantised a distribution', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -3, max: 4, noNaN: true }), { maxLength: 60 }), (observations) => {
        const windows = parzenWindows(observations, -3, 4, 1);
        const cells = 4000;
        const middles = Array.from({ length: cells }, (_, i) => -3 + (7 * (i + 0.5)) / cells);
        const integral = middles.reduce((sum, x) => sum + Math.exp(logDensity(windows, x)) * (7 / cells), 0);
        expect(integral).toBeCloseTo(1, 4);
        const places = [-3, -2, -1, 0, 1, 2, 3, 4];
        expect(places.reduce((sum, x) => sum + Math.exp(logProbability(windows, x, 1)), 0)).toBeCloseTo(1, 10);
      }),
      { numRuns: 20 },
    );
  });

  test('rest on Φ to the last digits', () => {
    // SciPy's norm.cdf.
    for (const [z, value] of [
      [0, 0.5],
      [-0.5, 0.3085375387259869],
      [1, 0.8413447460685429],
      [2.5, 0.9937903346742238],
      [-3, 0.0013498980316300957],
      [6, 0.9999999990134123],
      [9, 1],
    ] as const)
      expect(Math.abs(normalCdf(z) - value)).toBeLessThan(1e-15);
  });
});

describe('a search', () => {
  const valuesOf = ({ trials }: { trials: readonly Trial[] }) => trials.map(({ point, loss }) => [point, loss]);

  test('stays in its space', () => {
    for (let seed = 0; seed < 20; seed++) {
      for (const count of [0, 25]) {
        const point = suggest(SPACE, historyOf(count), { seed });
        expect(point.uniform).toBeGreaterThanOrEqual(-5);
        expect(point.uniform).toBeLessThanOrEqual(10);
        expect(point.logUniform).toBeGreaterThanOrEqual(1.6);
        expect(point.logUniform).toBeLessThanOrEqual(33);
        expect(point.quantizedUniform % 3).toBe(0);
        expect(SPACE.choice.options).toContain(point.choice);
      }
    }
  });

  test('goes on from its trials alone as if it had never stopped', async () => {
    const whole = await minimize(radii.space, radii.of, { evaluations: 40, seed: 5 });
    for (const stop of [3, 20, 33]) {
      const first = await minimize(radii.space, radii.of, { evaluations: stop, seed: 5 });
      const trials = JSON.parse(JSON.stringify(first.trials)) as typeof first.trials;
      const numbers: number[] = [];
      const onTrial = (_: Trial, number: number) => void numbers.push(number);
      const second = await minimize(radii.space, radii.of, { evaluations: 40, seed: 5, trials, onTrial });
      expect(valuesOf(second)).toEqual(valuesOf(whole));
      expect(numbers).toEqual(Array.from({ length: 40 - stop }, (_, i) => stop + i));
    }
    const other = await minimize(radii.space, radii.of, { evaluations: 40, seed: 6 });
    expect(valuesOf(other)).not.toEqual(valuesOf(whole));
  });

  test('does not depend on the order of its dimensions', async () => {
    const reversed = Object.fromEntries(Object.entries(radii.space).reverse()) as unknown as typeof radii.space;
    const [a, b] = [radii.space, reversed].map((space) => minimize(space, radii.of, { evaluations: 30 }));
    expect(valuesOf((await a)!)).toEqual(valuesOf((await b)!));
  });

  test('counts what failed as worst, and ends with the best that did not', async () => {
    // Everything above 0 fails.
    const { best, trials } = await minimize({ x: quadratic.space.x }, ({ x }) => (x > 0 ? Number.NaN : (x + 2) ** 2), {
      evaluations: 60,
    });
    expect(trials.filter(({ loss }) => loss === null).every(({ point }) => point.x > 0)).toBe(true);
    expect(best!.loss).toBe(Math.min(...trials.flatMap(({ loss }) => loss ?? [])));
    expect(trials.slice(20).filter(({ loss }) => loss === null).length).toBeLessThan(10);
    const none = await minimize(quadratic.space, () => null, { evaluations: 25 });
    expect([none.best, none.trials.length]).toEqual([null, 25]);
  });

  test('stops when it is told to, and for what the objective throws', async () => {
    const controller = new AbortController();
    const onTrial = (_: Trial, number: number) => number === 4 && controller.abort(new Error('enough'));
    const options = {
      evaluations: 10,
      signal: controller.signal,
      onTrial: (t: Trial, n: number) => void onTrial(t, n),
    };
    await expect(minimize(quadratic.space, quadratic.of, options)).rejects.toThrow('enough');
    const broken = minimize(quadratic.space, () => Promise.reject(new Error('out of memory')), { evaluations: 2 });
    await expect(broken).rejects.toThrow('out of memory');
  });

  test('refuses what is no space, and trials of another one', () => {
    const spaces: [Record<string, unknown>, string][] = [
      [{}, 'no dimension'],
      [{ x: { kind: 'uniform', low: 2, high: 1 } }, "the search space's x: 2 to 1 is no range"],
      [{ x: { kind: 'logUniform', low: 0, high: 1 } }, 'must begin above 0, not at 0'],
      [{ x: { kind: 'quantizedUniform', low: 0, high: 1, step: 0 } }, 'a step of 0'],
      [{ x: { kind: 'choice', options: [] } }, 'there are no options'],
      [{ x: { kind: 'choice', options: [1, 1] } }, 'an option stands there twice'],
    ];
    for (const [space, message] of spaces) expect(() => suggest(space as SearchSpace, [])).toThrow(message);
    const trials = historyOf(25).map(({ loss }) => ({ point: { y: 1 }, loss }));
    const space: Record<string, Dimension> = { x: quadratic.space.x };
    expect(() => suggest(space, trials)).toThrow('a trial has undefined for x');
    expect(() => suggest(SPACE, [], { gamma: 0 })).toThrow('gamma is 0');
  });
});

test("the authors' spaces are those of their code", () => {
  expect(AUTHORS_SPACES.radius.extractor).toMatchObject({
    kind: 'logUniform',
    low: Math.exp(0.5),
    high: Math.exp(3.5),
  });
  const { low, high } = AUTHORS_SPACES.coefficient.classifier;
  expect([low, high].map((value) => value.toPrecision(3))).toEqual(['0.0000454', '0.368']);
  const { extractor } = suggestAtRandom(AUTHORS_SPACES.radius, []);
  expect(extractor).toBeGreaterThan(1.65);
  expect(extractor).toBeLessThan(33.2);
});

describe('on standard functions', () => {
  const SEEDS = 30;
  /** Gaps to the least value over the seeds: TPE's and random search's, whose first 20 trials are the same. */
  async function compare<S extends SearchSpace>({ space, of, least }: TestFunction<S>, evaluations: number) {
    const gaps: [tpe: number, random: number][] = [];
    for (let seed = 0; seed < SEEDS; seed++) {
      const found = await minimize(space, of, { evaluations, seed });
      const drawn = await minimize(space, of, { evaluations, seed, startupTrials: Number.POSITIVE_INFINITY });
      expect(drawn.trials.slice(0, 20)).toEqual(found.trials.slice(0, 20));
      gaps.push([found.best!.loss! - least, drawn.best!.loss! - least]);
    }
    const median = (which: 0 | 1) => gaps.map((gap) => gap[which]).sort((a, b) => a - b)[SEEDS / 2]!;
    return { wins: gaps.filter(([tpe, random]) => tpe < random).length, tpe: median(0), random: median(1) };
  }

  test.each([
    ['quadratic', quadratic, 10],
    ['hartmann6', hartmann6, 1.8],
    ['radii', radii, 3],
  ] as const)('%s: better than random search from nearly every start', async (_, f, factor) => {
    const { wins, tpe, random } = await compare(f as unknown as TestFunction<SearchSpace>, 100);
    expect(wins).toBeGreaterThanOrEqual(SEEDS * 0.8);
    expect(random / tpe).toBeGreaterThan(factor);
  });

  // Several minima, or a misleading slope: a density per dimension is no great help, and no harm.
  test.each([
    ['branin', branin],
    ['distractor', distractor],
  ] as const)('%s: no worse than random search', async (_, f) => {
    const { tpe, random } = await compare(f as unknown as TestFunction<SearchSpace>, 100);
    expect(tpe).toBeLessThanOrEqual(random);
  });

  test("meets the bars of hyperopt's own tests, in the median of nine seeds", async () => {
    const bars = [
      [quadratic, 1e-5, { evaluations: 400, candidates: 5 }],
      [branin, 0.7, { evaluations: 200 }],
      [distractor, -1.96, { evaluations: 100, gamma: 0.05, priorWeight: 0.01, candidates: 15 }],
    ] as const;
    for (const [f, bar, options] of bars) {
      const { space, of } = f as unknown as TestFunction<SearchSpace>;
      const losses: number[] = [];
      for (let seed = 0; seed < 9; seed++) losses.push((await minimize(space, of, { ...options, seed })).best!.loss!);
      expect(losses.sort((a, b) => a - b)[4]).toBeLessThanOrEqual(bar);
    }
  });
});
