/** x = Vᵀ·diag(values)·V on every device, for matrices of every kind: what distinct eigenvalues of the kernel's table leave out. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.ts';
import { eigh } from '../../src/ops/index.ts';
import { tensor } from '../../src/tensor/create.ts';
import { devices } from '../kernels/devices.ts';

const square = (n: number, element: (i: number, j: number) => number) =>
  Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => element(i, j)));
const wave = (i: number, j: number) => Math.sin(1 + 1.7 * (Math.min(i, j) * 31 + Math.max(i, j)));

const matrices: Record<string, number[][]> = {
  'one element': [[-3]],
  zeros: square(5, () => 0),
  'the identity': square(6, (i, j) => (i === j ? 1 : 0)),
  ones: square(33, () => 1),
  'eigenvalues twice each': square(8, (i, j) => (i === j ? 2 : i === 7 - j ? 1 : 0)),
  'eigenvalues of either sign': square(40, wave),
  'one element far above the others': square(9, (i, j) => (i === 4 && j === 4 ? 1e6 : wave(i, j))),
  'tiny numbers': square(7, (i, j) => 1e-12 * wave(i, j)),
  '150 rows': square(150, wave),
};

describe.each(devices)('on $kind', ({ kind, open }) => {
  let device: Device;
  beforeAll(async () => {
    device = await open();
  });
  afterAll(() => device.close());
  const small = kind === 'reference' ? 1e-12 : 1e-5;

  test.each(Object.entries(matrices))('%s', async (_, rows) => {
    const n = rows.length;
    const x = tensor(rows, { device });
    const { values, vectors } = eigh(x);
    const [lambda, v] = [await values.data(), await vectors.data()];
    const size = Math.max(...rows.flat().map(Math.abs));
    const dot = (a: (k: number) => number, b: (k: number) => number) => {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a(k) * b(k);
      return sum;
    };
    const row = (i: number) => (k: number) => v[i * n + k]!;
    for (let i = 0; i < n; i++) {
      expect(i === 0 || lambda[i]! >= lambda[i - 1]!).toBe(true);
      const largest = Array.from(v.slice(i * n, (i + 1) * n)).reduce(
        (best, e) => (Math.abs(e) > Math.abs(best) ? e : best),
        0,
      );
      expect(largest).toBeGreaterThan(0);
      for (let j = 0; j < n; j++) {
        expect(Math.abs(dot(row(i), row(j)) - (i === j ? 1 : 0))).toBeLessThan(small);
        const moved = dot((k) => rows[j]![k]!, row(i)) - lambda[i]! * v[i * n + j]!;
        expect(Math.abs(moved)).toBeLessThanOrEqual(small * n * size);
      }
    }
    expect(Array.from(await x.data())).toEqual(
      Array.from(rows.flat(), (e) => (kind === 'reference' ? e : Math.fround(e))),
    );
  });

  test('a known matrix, to the digit', async () => {
    const { values, vectors } = eigh(
      tensor(
        [
          [2, 1],
          [1, 2],
        ],
        { device },
      ),
    );
    const half = Math.sqrt(0.5);
    for (const [found, expected] of [
      [await values.data(), [1, 3]],
      [await vectors.data().then((v) => v.map(Math.abs)), [half, half, half, half]],
    ] as const) {
      expected.forEach((value, i) => {
        expect(found[i]).toBeCloseTo(value, 6);
      });
    }
  });

  test('what is no square matrix is refused', () => {
    expect(() => eigh(tensor([[1, 2]], { device }))).toThrow(
      'eigh: a tensor of shape (1, 2): it must be a symmetric matrix',
    );
  });
});
