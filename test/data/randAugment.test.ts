/** RandAugment's operations against Pillow's pixels (test/golden/make_augment.py), and what is drawn. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { OPERATIONS, randAugment } from '../../src/data/randAugment.ts';
import { Random } from '../../src/tensor/random.ts';

interface Golden {
  readonly height: number;
  readonly width: number;
  readonly image: number[];
  readonly cases: { readonly operation: string; readonly amount: number; readonly pixels: number[] }[];
}
const golden = JSON.parse(readFileSync(new URL('../golden/augment.json', import.meta.url), 'utf8')) as Golden;
const { height, width } = golden;
const image = { data: Uint8Array.from(golden.image), height, width };

describe.each(golden.cases)('$operation($amount)', ({ operation, amount, pixels }) => {
  test("gives Pillow's pixels", () => {
    const { data } = OPERATIONS[operation]!.apply(image, amount);
    expect(Array.from(data)).toEqual(pixels);
    expect(Array.from(image.data)).toEqual(golden.image);
  });
});

test('all of torchvision’s fourteen operations are there, and each is tried above or does nothing', () => {
  expect(Object.keys(OPERATIONS)).toHaveLength(14);
  const tried = new Set(golden.cases.map(({ operation }) => operation));
  expect(Object.keys(OPERATIONS).filter((name) => !tried.has(name))).toEqual(['identity']);
});

test('what is drawn is a matter of the seed; over many draws every operation comes', () => {
  const step = randAugment(2, 9);
  const at = (seed: number) => Array.from(step.apply(image, new Random(seed)).data);
  expect(at(3)).toEqual(at(3));
  const results = new Set(Array.from({ length: 200 }, (_, seed) => at(seed).join()));
  expect(results.size).toBeGreaterThan(50);
  expect(() => randAugment(0)).toThrow('operations ≥ 1');
  expect(() => randAugment(2, 31)).toThrow('from 0 to 30');
});
