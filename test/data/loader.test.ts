import { describe, expect, it } from 'vitest';
import { type ImageDataset, InMemoryDataset, mapImages } from '../../src/data/dataset.ts';
import { type Batch, DataLoader, type DataLoaderOptions, forEachConcurrent } from '../../src/data/loader.ts';
import { compose, randomCrop, randomHorizontalFlip, toFloat, toRaw } from '../../src/data/transforms.ts';

/** 23 images of 4×4 of deterministic noise, three classes. */
function makeDataset(count = 23): InMemoryDataset {
  const pixels = Uint8Array.from({ length: count * 48 }, (_, i) => (i * 2654435761) >>> 24);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 3);
  return new InMemoryDataset({ name: 'noise', classes: ['a', 'b', 'c'], pixels, labels, height: 4, width: 4 });
}

/** The same images, each after a delay of its own, so that they arrive out of order. */
function delayed(parent: ImageDataset): ImageDataset {
  return {
    ...mapImages(parent, (image) => image),
    image: (index) => new Promise((resolve) => setTimeout(() => resolve(parent.image(index)), (index * 7) % 5)),
  };
}

const augment = compose([randomCrop(4, { padding: 1 }), randomHorizontalFlip(), toFloat()]);
const plain = compose([toRaw()]);
const load = (dataset: ImageDataset, options: Partial<DataLoaderOptions> = {}) =>
  new DataLoader(dataset, { batchSize: 5, transform: augment, shuffle: true, seed: 4, ...options });
async function all(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const result: Batch[] = [];
  for await (const batch of batches) result.push(batch);
  return result;
}

describe('DataLoader', () => {
  it('visits every image once, the last partial batch included', async () => {
    const loader = load(makeDataset());
    const batches = await all(loader.epoch(0));
    expect(loader.length).toBe(5);
    expect(loader.imageCount).toBe(23);
    expect(batches.map((batch) => batch.shape)).toEqual([...Array(4).fill([5, 3, 4, 4]), [3, 3, 4, 4]]);
    const indices = batches.flatMap((batch) => [...batch.indices]);
    expect(indices).not.toEqual([...indices].sort((a, b) => a - b));
    expect([...indices].sort((a, b) => a - b)).toEqual(Array.from({ length: 23 }, (_, i) => i));
    for (const batch of batches) {
      expect([...batch.labels]).toEqual([...batch.indices].map((index) => index % 3));
      expect(batch.images).toHaveLength(batch.shape.reduce((a, b) => a * b));
    }
  });

  it('keeps the order without shuffle and puts each image at its place', async () => {
    const dataset = makeDataset();
    const [first] = await all(load(dataset, { shuffle: false, transform: plain }).epoch(0));
    expect([...first!.indices]).toEqual([0, 1, 2, 3, 4]);
    const pixel = (i: number, c: number, at: number) => dataset.image(i).data[at * 3 + c];
    const expected = [0, 1, 2, 3, 4].flatMap((i) =>
      [0, 1, 2].flatMap((c) => Array.from({ length: 16 }, (_, at) => pixel(i, c, at))),
    );
    expect([...first!.images]).toEqual(expected);
  });

  it('drops the last partial batch only when asked', async () => {
    const loader = load(makeDataset(), { dropLast: true });
    expect([loader.length, loader.imageCount]).toEqual([4, 20]);
    expect(await all(loader.epoch(0))).toHaveLength(4);
  });

  it('gives the same bytes whatever the prefetch depth and the order in which images arrive', async () => {
    const expected = await all(load(makeDataset(), { prefetch: 0 }).epoch(2));
    for (const prefetch of [1, 2, 9]) {
      expect(await all(load(makeDataset(), { prefetch }).epoch(2))).toEqual(expected);
      expect(await all(load(delayed(makeDataset()), { prefetch }).epoch(2))).toEqual(expected);
    }
  });

  it('changes order and augmentation with epoch and seed, and augments an image alike in any batch size', async () => {
    const byIndex = async (loader: DataLoader, epoch: number) => {
      const images = new Map<number, number[]>();
      for (const { indices, images: data } of await all(loader.epoch(epoch))) {
        indices.forEach((index, k) => {
          images.set(index, [...data.subarray(k * 48, (k + 1) * 48)]);
        });
      }
      return images;
    };
    const base = await byIndex(load(makeDataset()), 0);
    expect(await byIndex(load(makeDataset(), { batchSize: 7, shuffle: false }), 0)).toEqual(
      new Map([...base].sort((a, b) => a[0] - b[0])),
    );
    const changed = async (other: Map<number, number[]>) =>
      [...base].filter(([i, data]) => String(other.get(i)) !== String(data)).length;
    expect(await changed(await byIndex(load(makeDataset()), 1))).toBeGreaterThan(12);
    expect(await changed(await byIndex(load(makeDataset(), { seed: 5 }), 0))).toBeGreaterThan(12);
    expect(load(makeDataset()).order(0)).not.toEqual(load(makeDataset()).order(1));
    expect(load(makeDataset()).order(0)).not.toEqual(load(makeDataset(), { seed: 5 }).order(0));
  });

  it('resumes at a batch with the bytes of a run that never stopped', async () => {
    const whole = await all(load(makeDataset()).epoch(3));
    expect(await all(load(makeDataset()).epoch(3, 2))).toEqual(whole.slice(2));
    expect(await all(load(makeDataset()).epoch(3, 5))).toEqual([]);
    await expect(all(load(makeDataset()).epoch(3, 6))).rejects.toThrow('has 5 batches, but it was to start at batch 6');
  });

  it('prepares the next batches while the consumer works, and no more than asked', async () => {
    const source = makeDataset();
    let read = 0;
    const counting = mapImages(source, (image) => {
      read++;
      return image;
    });
    const epoch = load(counting, { prefetch: 2 }).epoch(0);
    await epoch.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(read).toBe(15);
    await epoch.return();
    const before = read;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(read).toBe(before);
  });

  it('stops working when the consumer leaves early', async () => {
    let read = 0;
    const counting = mapImages(delayed(makeDataset()), (image) => {
      read++;
      return image;
    });
    for await (const _ of load(counting, { prefetch: 4 }).epoch(0)) break;
    const atReturn = read;
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(read).toBe(atReturn);
    expect(atReturn).toBeLessThanOrEqual(10);
  });

  it('names the image that cannot be read, sync or async, at its batch and not before', async () => {
    const broken = (parent: ImageDataset): ImageDataset => ({
      ...mapImages(parent, (image) => image),
      origin: (index) => `photos/${index}.jpg`,
      image: (index) => {
        if (index === 7) throw new Error('premature end of file');
        return parent.image(index);
      },
    });
    const inPromise = (parent: ImageDataset): ImageDataset => ({
      ...parent,
      image: async (index) => parent.image(index),
    });
    for (const dataset of [broken(makeDataset()), inPromise(broken(makeDataset()))]) {
      const epoch = load(dataset, { shuffle: false, prefetch: 3 }).epoch(0);
      expect((await epoch.next()).value).toMatchObject({ shape: [5, 3, 4, 4] });
      await expect(epoch.next()).rejects.toThrow('Image 7 (photos/7.jpg): premature end of file');
    }
  });

  it('names the image whose size differs, and says what to do', async () => {
    const parent = makeDataset();
    const uneven = mapImages(parent, (image) => image);
    const odd = {
      ...uneven,
      image: (i: number) => (i === 2 ? { data: new Uint8Array(6), height: 1, width: 2 } : parent.image(i)),
    };
    await expect(all(load(odd, { shuffle: false, transform: plain }).epoch(0))).rejects.toThrow(
      /Image 2 \(noise, image 2\): is 1×2 after "toRaw\(\)".* 4×4; end the image steps with a crop/,
    );
  });

  it('refuses sizes that have no meaning', () => {
    expect(() => load(makeDataset(), { batchSize: 0 })).toThrow('batchSize must be a whole number ≥ 1');
    expect(() => load(makeDataset(), { prefetch: -1 })).toThrow('prefetch must be');
    expect(() => load(makeDataset(0))).toThrow('has no images');
    expect(() => load(makeDataset(3), { dropLast: true })).toThrow('there is no batch at all');
  });
});

describe('forEachConcurrent', () => {
  it('runs every task once, at most `limit` at a time', async () => {
    let running = 0;
    let most = 0;
    const seen: number[] = [];
    await forEachConcurrent(20, 3, async (index) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, index % 4));
      seen.push(index);
      running--;
    });
    expect(most).toBe(3);
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  it('starts nothing after a failure and waits for what runs', async () => {
    const seen: number[] = [];
    const task = async (index: number) => {
      await new Promise((resolve) => setTimeout(resolve, 1 + index));
      if (index === 1) throw new Error('one');
      seen.push(index);
    };
    await expect(forEachConcurrent(9, 3, task)).rejects.toThrow('one');
    expect(seen).toEqual([0, 2, 3]);
  });
});
