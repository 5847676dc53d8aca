import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxRelativeDifference, median, pairedRatio, quantile, spread } from '../../bench/statistics.ts';

const SEED = 20261124;
const times = fc.array(fc.double({ min: 1e-6, max: 1e3, noNaN: true }), { minLength: 1, maxLength: 20 });

describe('quantiles', () => {
  it('are those of NumPy (linear interpolation)', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    // np.quantile([15, 20, 35, 40, 50], 0.4) == 29.0
    expect(quantile([50, 15, 40, 20, 35], 0.4)).toBeCloseTo(29, 12);
    expect(spread([1, 2, 3, 4, 5])).toEqual({ median: 3, low: 2, high: 4 });
  });

  it('have as many values above the median as below, in whatever order', () => {
    fc.assert(
      fc.property(times, (values) => {
        const middle = median(values);
        expect(values.filter((v) => v < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((v) => v > middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(median([...values].reverse())).toBe(middle);
      }),
      { seed: SEED },
    );
  });

  it('do not move when one outlier grows', () => {
    expect(median([1, 1, 1, 1, 9])).toBe(median([1, 1, 1, 1, 9000]));
  });

  it('refuse no values and NaN', () => {
    expect(() => median([])).toThrow('no values');
    expect(() => median([1, Number.NaN])).toThrow('not all numbers');
  });
});

describe('pairedRatio', () => {
  it('pairs the timings of a round', () => {
    // The machine halves its speed in the second round: the ratio of each pair is 2 all the same.
    expect(pairedRatio([2, 4, 2], [1, 2, 1])).toEqual({ median: 2, low: 2, high: 2 });
    // The ratio of the medians would be 3/2.
    expect(pairedRatio([1, 3, 9], [1, 1, 9]).median).toBe(1);
  });

  it('does not depend on how fast the machine is in each round', () => {
    fc.assert(
      fc.property(times, fc.double({ min: 0.01, max: 100, noNaN: true }), (slowness, ratio) => {
        const { median: middle } = pairedRatio(
          slowness.map((s) => s * ratio),
          slowness,
        );
        expect(middle).toBeCloseTo(ratio, 9);
      }),
      { seed: SEED },
    );
  });

  it('refuses lists of different lengths', () => {
    expect(() => pairedRatio([1], [1, 2])).toThrow('1 timings cannot be paired with 2');
  });
});

describe('maxRelativeDifference', () => {
  it('is the largest difference over the largest reference value', () => {
    expect(maxRelativeDifference([1, 2, 3.5], [1, 2, 4])).toBe(0.125);
    expect(maxRelativeDifference([0, 0], [0, 0])).toBe(0);
    expect(maxRelativeDifference([1e-3], [0])).toBe(1e-3);
  });

  it('shows a NaN on either side, and refuses other lengths', () => {
    expect(maxRelativeDifference([Number.NaN], [1])).toBeNaN();
    expect(maxRelativeDifference([1], [Number.NaN])).toBeNaN();
    expect(() => maxRelativeDifference([1], [1, 2])).toThrow('1 elements against one of 2');
  });
});
