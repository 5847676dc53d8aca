import { describe, expect, test } from 'vitest';
import { DataLoader, InMemoryDataset } from '../../src/data/index.ts';
import { mixBatch } from '../../src/data/mix.ts';
import { compose, toRaw } from '../../src/data/transforms.ts';
import { Random } from '../../src/tensor/random.ts';

const shape = [3, 2, 4, 4] as const;
/** Image n is n everywhere. */
const images = () => Float32Array.from({ length: 96 }, (_, i) => Math.floor(i / 32));
const labels = Int32Array.of(5, 6, 7);

describe('mixup', () => {
  test('is λ·image + (1 − λ)·the one before, and the labels go with it', () => {
    for (let seed = 0; seed < 20; seed++) {
      const data = images();
      const mix = mixBatch(data, shape, labels, { mixup: 0.4 }, new Random(seed))!;
      expect(Array.from(mix.labels)).toEqual([7, 5, 6]);
      const expected = [0, 1, 2].map((n) => mix.share * n + (1 - mix.share) * [2, 0, 1][n]!);
      expected.forEach((value, n) => {
        for (const pixel of data.subarray(32 * n, 32 * (n + 1))) expect(pixel).toBeCloseTo(value, 6);
      });
    }
  });
});

describe('cutmix', () => {
  test('pastes one rectangle of the partner; the share is what is left of the image', () => {
    for (let seed = 0; seed < 40; seed++) {
      const data = images();
      const mix = mixBatch(data, shape, labels, { cutmix: 1 }, new Random(seed))!;
      const pasted = Array.from({ length: 16 }, (_, i) => data[i] === 2);
      expect(mix.share).toBeCloseTo(1 - pasted.filter(Boolean).length / 16, 12);
      const [rows, columns] = [new Set<number>(), new Set<number>()];
      pasted.forEach((isPasted, i) => {
        if (!isPasted) return;
        rows.add(Math.floor(i / 4));
        columns.add(i % 4);
      });
      expect(rows.size * columns.size).toBe(pasted.filter(Boolean).length);
      // The same place in every channel and image.
      for (let plane = 0; plane < 6; plane++) {
        const own = Math.floor(plane / 2);
        for (let i = 0; i < 16; i++) expect(data[16 * plane + i]).toBe(pasted[i] ? (own + 2) % 3 : own);
      }
    }
  });
});

test('of both, each batch takes one; of neither, none is changed', () => {
  const isCut = (seed: number) => {
    const data = images();
    mixBatch(data, shape, labels, { mixup: 1, cutmix: 1 }, new Random(seed));
    return data.every(Number.isInteger);
  };
  const cuts = Array.from({ length: 200 }, (_, seed) => isCut(seed)).filter(Boolean).length;
  expect(cuts).toBeGreaterThan(70);
  expect(cuts).toBeLessThan(130);
  expect(mixBatch(images(), shape, labels, {}, new Random(1))).toBeUndefined();
});

test('a loader gives the same mixed batches whether it begins at the first or in the middle', async () => {
  const pixels = Uint8Array.from({ length: 10 * 12 }, (_, i) => i);
  const own = Int32Array.from({ length: 10 }, (_, i) => i % 2);
  const data = new InMemoryDataset({ name: 'd', classes: ['a', 'b'], pixels, labels: own, height: 2, width: 2 });
  const options = { batchSize: 4, shuffle: true, seed: 3, transform: compose([toRaw()]) };
  const loader = new DataLoader(data, { ...options, mix: { mixup: 0.3, cutmix: 1 } });
  const batches = async (from: number) => {
    const all = [];
    for await (const { images, mix } of loader.epoch(2, from)) all.push({ images: [...images], mix });
    return all;
  };
  const [whole, rest] = [await batches(0), await batches(1)];
  expect(rest).toEqual(whole.slice(1));
  expect(whole.every(({ mix }) => mix!.share >= 0 && mix!.share <= 1)).toBe(true);
  expect(() => new DataLoader(data, { ...options, mix: { mixup: -1 } })).toThrow('mixup needs a finite α ≥ 0');
});
