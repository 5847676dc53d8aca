import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InMemoryDataset, mapImages, subset } from '../../src/data/dataset.ts';
import { apportion, perClass, selectClasses, stratifiedSplit, withLabelNoise } from '../../src/data/selection.ts';
import { didYouMean, editDistance, nearestName } from '../../src/tensor/suggest.ts';

/** Images of 1×2; image i has all bytes equal to i, label i % classes. */
function numbered(count: number, classes = ['ant', 'bee', 'cow']): InMemoryDataset {
  const pixels = new Uint8Array(count * 6);
  for (let i = 0; i < pixels.length; i++) pixels[i] = Math.floor(i / 6);
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes.length);
  return new InMemoryDataset({ name: 'numbered', classes, pixels, labels, height: 1, width: 2 });
}

const identity = async (set: { length: number; image(i: number): unknown }): Promise<number[]> => {
  const images = await Promise.all(Array.from({ length: set.length }, (_, i) => set.image(i)));
  return images.map((image) => (image as { data: Uint8Array }).data[0]!);
};

describe('InMemoryDataset and subset', () => {
  it('gives each image its own bytes', () => {
    expect(numbered(5).image(3)).toEqual({ data: new Uint8Array(6).fill(3), height: 1, width: 2 });
  });

  it('refuses wrong sizes, labels and indices', () => {
    const source = {
      name: 's',
      classes: ['a'],
      pixels: new Uint8Array(5),
      labels: Int32Array.of(0),
      height: 1,
      width: 2,
    };
    expect(() => new InMemoryDataset(source)).toThrow('1 images of 1×2×3 need 6 bytes, but got 5');
    const badLabel = { ...source, pixels: new Uint8Array(6), labels: Int32Array.of(1) };
    expect(() => new InMemoryDataset(badLabel)).toThrow('image 0 has label 1, but there are 1 classes');
    expect(() => numbered(5).image(5)).toThrow('images 0 to 4, but image 5');
    expect(() => subset(numbered(5), Int32Array.of(1, 9))).toThrow('image 9');
    expect(() => subset(numbered(5), Int32Array.of(1)).image(1)).toThrow('images 0 to 0');
  });

  it('follows indices through nested subsets', async () => {
    const nested = subset(subset(numbered(9), Int32Array.of(8, 4, 2, 0)), Int32Array.of(2, 1));
    expect(await identity(nested)).toEqual([2, 4]);
    expect([...nested.labels]).toEqual([2, 1]);
    expect(nested.origin(0)).toBe('numbered, image 2');
  });

  it('maps images', async () => {
    const doubled = mapImages(numbered(4), (image) => ({ ...image, data: image.data.map((byte) => byte * 2) }));
    expect(await identity(doubled)).toEqual([0, 2, 4, 6]);
  });
});

describe('selectClasses', () => {
  it('relabels in the order given', async () => {
    const selected = selectClasses(numbered(7), ['cow', 'ant']);
    expect(selected.classes).toEqual(['cow', 'ant']);
    expect(await identity(selected)).toEqual([0, 2, 3, 5, 6]);
    expect([...selected.labels]).toEqual([1, 0, 1, 0, 1]);
  });

  it('suggests the nearest name for an unknown one, and refuses repeats and noise', () => {
    expect(() => selectClasses(numbered(6), ['bea'])).toThrow(
      'no class "bea". Did you mean "bee"? It has ant, bee, cow.',
    );
    expect(() => selectClasses(numbered(6), ['zzzzzz'])).toThrow('no class "zzzzzz". It has');
    expect(() => selectClasses(numbered(6), ['ant', 'ant'])).toThrow('"ant" is selected twice');
    expect(() => selectClasses(numbered(6), [])).toThrow('no class was selected');
    expect(() => selectClasses(withLabelNoise(numbered(6), 0.5, 0), ['ant'])).toThrow('before adding label noise');
  });
});

describe('perClass', () => {
  it('draws n of each class, seeded, nested, and alike whatever other classes there are', async () => {
    const four = await identity(perClass(numbered(60), 4, 1));
    expect(four).toHaveLength(12);
    expect(new Set(four).size).toBe(12);
    expect([...perClass(numbered(60), 4, 1).labels].sort()).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
    expect(await identity(perClass(numbered(60), 4, 1))).toEqual(four);
    expect(await identity(perClass(numbered(60), 4, 2))).not.toEqual(four);
    const six = await identity(perClass(numbered(60), 6, 1));
    expect(four.every((index) => six.includes(index))).toBe(true);
    const cows = await identity(perClass(selectClasses(numbered(60), ['cow']), 4, 1));
    expect(cows).toEqual(four.filter((index) => index % 3 === 2));
  });

  it('names the class that has too few', () => {
    expect(() => perClass(numbered(8), 3, 0)).toThrow('3 images per class were asked for, but class "cow" has 2');
    expect(() => perClass(numbered(8), 0, 0)).toThrow('at least 1');
  });
});

describe('stratifiedSplit', () => {
  it('puts every image in exactly one part, with equal class shares', async () => {
    const split = stratifiedSplit(numbered(60), { train: 0.7, val: 0.1, test: 0.2 }, 3);
    const parts = [await identity(split.train), await identity(split.val), await identity(split.test)];
    expect(parts.map((part) => part.length)).toEqual([42, 6, 12]);
    expect(parts.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    for (const set of Object.values(split)) {
      for (const label of [0, 1, 2]) expect(set.labels.filter((l) => l === label)).toHaveLength(set.length / 3);
    }
    const again = stratifiedSplit(numbered(60), { train: 0.7, val: 0.1, test: 0.2 }, 3);
    expect(await identity(again.test)).toEqual(parts[2]);
    const other = stratifiedSplit(numbered(60), { train: 0.7, val: 0.1, test: 0.2 }, 4);
    expect(await identity(other.test)).not.toEqual(parts[2]);
  });

  it('apportions: whole, within one of the exact share, and never an empty part', () => {
    expect(apportion(8, [0.7, 0.1, 0.2])).toEqual([5, 1, 2]);
    expect(apportion(3, [0.7, 0.1, 0.2])).toEqual([1, 1, 1]);
    expect(apportion(2, [0.7, 0.1, 0.2])).toBeUndefined();
    expect(apportion(2, [0.4, 0.2])).toEqual([1, 1]);
    expect(apportion(10, [0.5, 0])).toEqual([5, 0]);
    const weights = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 4 });
    fc.assert(
      fc.property(fc.integer({ min: 40, max: 500 }), weights, (count, shares) => {
        const sum = shares.reduce((a, b) => a + b, 0);
        const sizes = apportion(
          count,
          shares.map((share) => share / sum),
        )!;
        expect(sizes.reduce((a, b) => a + b, 0)).toBe(count);
        sizes.forEach((size, i) => {
          expect(Math.abs(size - (count * shares[i]!) / sum)).toBeLessThanOrEqual(1);
        });
      }),
      { seed: 2, numRuns: 200 },
    );
  });

  it('refuses bad fractions and classes that are too small', () => {
    expect(() => stratifiedSplit(numbered(60), { train: 0.9, test: 0.2 }, 0)).toThrow('train 0.9, test 0.2');
    expect(() => stratifiedSplit(numbered(60), { train: -0.1, test: 0.2 }, 0)).toThrow('0 or more');
    expect(() => stratifiedSplit(numbered(4), { train: 0.5, test: 0.5 }, 0)).toThrow(
      'class "bee" has 1 images, too few',
    );
  });
});

describe('withLabelNoise', () => {
  it('makes exactly round(fraction · n) labels of every class wrong and keeps the right ones', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 4, max: 80 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.nat(),
        (n, f, seed) => {
          const clean = numbered(n);
          const noisy = withLabelNoise(clean, f, seed);
          expect(noisy.cleanLabels).toEqual(clean.labels);
          for (const label of [0, 1, 2]) {
            const members = [...clean.labels.keys()].filter((i) => clean.labels[i] === label);
            const wrong = members.filter((i) => noisy.labels[i] !== label);
            expect(wrong).toHaveLength(Math.round(f * members.length));
          }
        },
      ),
      { seed: 3, numRuns: 60 },
    );
  });

  it('draws wrong labels evenly from the other classes, seeded', () => {
    const clean = numbered(252 * 5, ['a', 'b', 'c', 'd', 'e']).labels;
    const noisy = withLabelNoise(
      new InMemoryDataset({
        name: 'n',
        classes: ['a', 'b', 'c', 'd', 'e'],
        pixels: new Uint8Array(clean.length * 3),
        labels: clean,
        height: 1,
        width: 1,
      }),
      1,
      4,
    );
    const from = [...clean.keys()].filter((i) => clean[i] === 1);
    for (const label of [0, 2, 3, 4]) {
      const count = from.filter((i) => noisy.labels[i] === label).length;
      // 252 draws, four targets: 63 ± 5 · √(252 · 1/4 · 3/4).
      expect(Math.abs(count - 63)).toBeLessThan(35);
    }
    expect(withLabelNoise(numbered(60), 0.4, 1).labels).toEqual(withLabelNoise(numbered(60), 0.4, 1).labels);
    expect(withLabelNoise(numbered(60), 0.4, 1).labels).not.toEqual(withLabelNoise(numbered(60), 0.4, 2).labels);
  });

  it('follows subsets, and refuses what has no meaning', () => {
    const noisy = withLabelNoise(numbered(30), 0.5, 1);
    const half = subset(noisy, Int32Array.of(3, 4, 5));
    expect([...half.cleanLabels!]).toEqual([0, 1, 2]);
    expect([...half.labels]).toEqual([...noisy.labels.slice(3, 6)]);
    expect(() => withLabelNoise(noisy, 0.1, 1)).toThrow('noise already');
    expect(() => withLabelNoise(numbered(9), 1.5, 1)).toThrow('from 0 to 1, but got 1.5');
    expect(() => withLabelNoise(numbered(3, ['only']), 0.5, 1)).toThrow('two classes');
  });
});

describe('nearestName', () => {
  it('counts edits, a swap of neighbours as one', () => {
    expect(editDistance('', 'abc')).toBe(3);
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(editDistance('dgo', 'dog')).toBe(1);
  });

  it('finds the nearest, ignoring case and punctuation, and nothing where none is near', () => {
    expect(nearestName('CIFAR-10', ['mnist', 'cifar10'])).toBe('cifar10');
    expect(nearestName('xyz', ['cifar10'])).toBeUndefined();
    expect(didYouMean('resnt20', ['resnet20', 'resnet56'])).toBe(' Did you mean "resnet20"?');
    expect(didYouMean('xyz', ['cifar10'])).toBe('');
  });
});
