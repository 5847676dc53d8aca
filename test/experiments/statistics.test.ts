/** Student's distribution and the paired test against SciPy's numbers (test/golden/experiments/make_student.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { distributionOfT, pairedTest, quantileOfT, summarizeSample } from '../../src/experiments/statistics.ts';

const golden = JSON.parse(readFileSync(new URL('../golden/experiments/student.json', import.meta.url), 'utf8'));

describe("Student's t", () => {
  test('is distributed as SciPy says', () => {
    for (const [t, freedom, p] of golden.cdf)
      expect(distributionOfT(t, freedom), `${t}, ${freedom}`).toBeCloseTo(p, 12);
  });

  test('has its quantiles', () => {
    for (const [p, freedom, t] of golden.ppf)
      expect(quantileOfT(p, freedom) / (t || 1), `${p}, ${freedom}`).toBeCloseTo(t ? 1 : 0, t ? 9 : 6);
    expect(() => quantileOfT(1, 3)).toThrow('0 < p < 1');
  });
});

test('a sample has its mean, deviation and interval', () => {
  const { a, halfWidth } = golden.paired;
  const sample = summarizeSample(a);
  expect(sample.count).toBe(5);
  expect(sample.mean).toBeCloseTo(72.536, 10);
  expect(sample.halfWidth95).toBeCloseTo(halfWidth, 9);
  expect(summarizeSample([3])).toEqual({ count: 1, mean: 3, deviation: Number.NaN, halfWidth95: Number.NaN });
  expect(() => summarizeSample([])).toThrow('no values');
});

describe('the paired test', () => {
  test("is SciPy's", () => {
    const { a, b, t, p } = golden.paired;
    const found = pairedTest(a, b);
    expect(found.t).toBeCloseTo(t, 10);
    expect(found.p).toBeCloseTo(p, 10);
    expect(pairedTest(b, a).t).toBeCloseTo(-t, 10);
  });

  test('of equal values finds nothing; of one pair, nothing can be said', () => {
    expect(pairedTest([1, 2], [1, 2])).toMatchObject({ t: 0, p: 1 });
    expect(pairedTest([2, 3], [1, 2])).toMatchObject({ t: Number.POSITIVE_INFINITY, p: 0 });
    expect(pairedTest([1], [2]).p).toBeNaN();
    expect(() => pairedTest([1, 2], [1])).toThrow('2 values cannot be paired with 1');
  });
});
