/** The colours of series can be told apart, by anybody, on either page. */
import { describe, expect, it } from 'vitest';
import { SERIES } from '../../src/report/page/theme.ts';

type Triple = readonly [number, number, number];

/** Page, ink and muted ink of the theme. */
const OTHERS = { light: ['#ffffff', '#16181d', '#575d69'], dark: ['#15171b', '#e9ebf0', '#a6adba'] } as const;

/** Machado, Oliveira & Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009), severity 1. */
const SIGHTS: Readonly<Record<string, readonly Triple[]>> = {
  everybody: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const apply = (matrix: readonly Triple[], [x, y, z]: Triple): Triple =>
  matrix.map(([a, b, c]) => a * x + b * y + c * z) as unknown as Triple;

function linear(color: string): Triple {
  const channel = (at: number) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

/** Ottosson's Oklab. */
function oklab(color: Triple): Triple {
  const [l, m, s] = apply(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    color.map((value) => Math.max(0, value)) as unknown as Triple,
  ).map(Math.cbrt) as unknown as Triple;
  return apply(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    [l, m, s],
  );
}

describe.each(['light', 'dark'] as const)('on the %s page', (theme) => {
  const [page, ...inks] = OTHERS[theme];

  it('every series has 3:1 against the page', () => {
    const luminance = (color: string) =>
      linear(color).reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i]!, 0);
    for (const color of SERIES[theme]) {
      const [high, low] = [luminance(color), luminance(page)].sort((a, b) => b - a) as [number, number];
      expect((high + 0.05) / (low + 0.05), color).toBeGreaterThan(3);
    }
  });

  it.each(Object.entries(SIGHTS))('no two are alike for %s', (_, matrix) => {
    const seen = [...SERIES[theme], ...inks].map((color) => oklab(apply(matrix, linear(color))));
    const distances = seen.flatMap((a, i) =>
      seen.slice(0, i).map((b) => 100 * Math.hypot(...a.map((value, k) => value - b[k]!))),
    );
    expect(Math.min(...distances)).toBeGreaterThan(8);
  });
});
