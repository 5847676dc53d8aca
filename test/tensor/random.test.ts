import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/tensor/random.ts';

const draws = (random: Random, count = 8) => Array.from({ length: count }, () => random.bits());

describe('Random', () => {
  it('draws the published sequence of xoshiro128** from state 1, 2, 3, 4', () => {
    const random = new Random({ key: [0, 0, 0, 0], words: [1, 2, 3, 4] });
    expect(draws(random, 10)).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it('gives the same stream for the same seed, another for another', () => {
    expect(draws(new Random(7))).toEqual(draws(new Random(7)));
    expect(draws(new Random(7))).not.toEqual(draws(new Random(8)));
    expect(draws(new Random(7))).not.toEqual(draws(new Random(7 + 2 ** 32)));
  });

  it('keeps its streams from release to release', () => {
    expect(draws(new Random(0), 3)).toEqual([1692159093, 647898070, 3829194197]);
    expect(draws(new Random(0).fork('order').fork(3), 3)).toEqual([677605024, 768530973, 3811852289]);
  });

  it('refuses seeds that are no whole numbers from 0', () => {
    for (const seed of [-1, 0.5, Number.NaN, 2 ** 53]) expect(() => new Random(seed)).toThrow(/from 0 to 2\^53/);
  });

  it('continues from a saved state, also through JSON, forks included', () => {
    const random = new Random(3);
    draws(random);
    const copy = new Random(JSON.parse(JSON.stringify(random.state())));
    expect(draws(copy)).toEqual(draws(random));
    expect(draws(copy.fork('a'))).toEqual(draws(random.fork('a')));
    expect(() => new Random({ key: [1, 2, 3], words: [1, 2, 3, 4] })).toThrow(/key .* four 32-bit words/);
  });

  it('forks alike whatever was drawn before, and apart for each label', () => {
    const fresh = new Random(1);
    const used = new Random(1);
    draws(used, 100);
    expect(draws(used.fork('x'))).toEqual(draws(fresh.fork('x')));
    const labels = [0, 1, 2 ** 32, '0', '1', '', 'ab', 'ba', 'a', 'b'];
    const streams = labels.map((label) => draws(fresh.fork(label)).join());
    streams.push(draws(fresh).join(), draws(fresh.fork('a').fork('b')).join(), draws(fresh.fork('b').fork('a')).join());
    expect(new Set(streams).size).toBe(labels.length + 3);
  });

  it('has uniform values with the mean and variance of [0, 1), and no correlation between neighbouring forks', () => {
    const n = 20_000;
    const root = new Random(5);
    const values = Array.from({ length: n }, (_, i) => root.fork(i).uniform() - 0.5);
    const mean = values.reduce((s, v) => s + v, 0) / n;
    const variance = values.reduce((s, v) => s + v * v, 0) / n;
    const lag = values.reduce((s, v, i) => s + v * values[(i + 1) % n]!, 0) / n / variance;
    // Five standard errors: 1/√12/√n, √(1/180)/√n, 1/√n.
    expect(Math.abs(mean)).toBeLessThan(5 * 0.289 * n ** -0.5);
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 * 0.0745 * n ** -0.5);
    expect(Math.abs(lag)).toBeLessThan(5 * n ** -0.5);
  });

  it('draws integers evenly (χ²)', () => {
    const random = new Random(11);
    for (const n of [3, 10, 16]) {
      const counts = new Array<number>(n).fill(0);
      for (let i = 0; i < 1000 * n; i++) counts[random.integer(n)]!++;
      const chiSquare = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
      expect(chiSquare).toBeLessThan(n - 1 + 5 * Math.sqrt(2 * (n - 1)) + 10);
    }
    expect(random.integer(1)).toBe(0);
    expect(() => random.integer(0)).toThrow(/from 1/);
    expect(() => random.integer(1.5)).toThrow(/whole n/);
  });

  it('draws normals with moments 0, 1, 0, 3', () => {
    const random = new Random(2);
    const n = 50_000;
    const moments = [0, 0, 0, 0];
    for (let i = 0; i < n; i++) {
      const z = random.normal();
      for (let k = 0; k < 4; k++) moments[k]! += z ** (k + 1) / n;
    }
    [0, 1, 0, 3].forEach((expected, k) => {
      // Standard errors of the first four moments: 1, √2, √15, √96, over √n.
      expect(Math.abs(moments[k]! - expected)).toBeLessThan((5 * [1, 1.42, 3.88, 9.8][k]!) / Math.sqrt(n));
    });
  });

  it('shuffles: a permutation, and every order of three equally often', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), fc.nat(), (values, seed) => {
        const shuffled = new Random(seed).shuffle([...values]);
        expect(shuffled.sort((a, b) => a - b)).toEqual(values.sort((a, b) => a - b));
      }),
      { seed: 1, numRuns: 50 },
    );
    const counts = new Map<string, number>();
    const random = new Random(9);
    for (let i = 0; i < 6000; i++) {
      const order = random.permutation(3).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });
});

describe('gamma and beta', () => {
  const sample = (draw: (random: Random) => number, count = 20_000) => {
    const random = new Random(12);
    return Float64Array.from({ length: count }, () => draw(random));
  };
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

  it.each([0.2, 1, 3.5])('gamma(%d) has its mean and variance', (shape) => {
    const values = sample((random) => random.gamma(shape));
    const m = mean(values);
    const error = Math.sqrt(shape / values.length);
    expect(Math.abs(m - shape)).toBeLessThan(4 * error);
    expect(mean(values.map((value) => (value - m) ** 2)) / shape).toBeCloseTo(1, 0);
    expect(values.every((value) => value >= 0)).toBe(true);
  });

  // Where the distribution function is known in closed form: the Kolmogorov–Smirnov distance, whose 99.9 % point is 1.95/√n.
  it.each([
    [1, 1, (x: number) => x],
    [2, 1, (x: number) => x * x],
    [0.5, 0.5, (x: number) => (2 / Math.PI) * Math.asin(Math.sqrt(x))],
    [1, 3, (x: number) => 1 - (1 - x) ** 3],
  ] as const)('beta(%d, %d) is distributed as it should be', (a, b, distribution) => {
    const values = sample((random) => random.beta(a, b)).sort();
    const distance = values.reduce((worst, value, i) => {
      const expected = distribution(value);
      return Math.max(worst, Math.abs((i + 1) / values.length - expected), Math.abs(i / values.length - expected));
    }, 0);
    expect(distance).toBeLessThan(1.95 / Math.sqrt(values.length));
  });

  it('of tiny shapes is at one of the ends', () => {
    const values = sample((random) => random.beta(1e-4, 1e-4), 500);
    const ends = values.filter((value) => value < 1e-6 || value > 1 - 1e-6);
    expect(ends.length).toBeGreaterThan(490);
    expect(Math.abs(mean(values) - 0.5)).toBeLessThan(0.1);
    expect(() => new Random(1).gamma(0)).toThrow('shape > 0');
  });
});
