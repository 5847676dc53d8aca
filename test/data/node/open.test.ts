import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDataset } from '../../../src/data/node/open.ts';
import { temporaryFolder, writeClasses } from './fixtures.ts';

async function animals(): Promise<string> {
  const root = await temporaryFolder();
  await writeClasses(root, ['ant', 'bee', 'cow'], 20);
  return root;
}

describe('openDataset', () => {
  it('applies classes everywhere, images per class and noise to the training images only', async () => {
    const root = await animals();
    const options = { imageSize: 4, classes: ['cow', 'ant'], trainPerClass: 5, labelNoise: 0.4, seed: 3 };
    const { train, val, test, classes, description } = await openDataset(root, options);
    expect(classes).toEqual(['cow', 'ant']);
    expect([train.length, val?.length, test.length]).toEqual([10, 4, 8]);
    expect(train.labels.filter((label, i) => label !== train.cleanLabels![i])).toHaveLength(4);
    expect(test.cleanLabels ?? val?.cleanLabels).toBeUndefined();
    for (let i = 0; i < test.length; i++) {
      expect((await test.image(i)).data[0]).toBe(test.labels[i] === 0 ? 2 : 0);
    }
    expect(description).toBe(
      `${root}: split with seed 3; 2 classes (cow, ant); 10 training, 4 validation, 8 test images; ` +
        '5 training images per class drawn with seed 3; 40 % of the training labels made wrong with seed 3.',
    );
    const again = await openDataset(root, options);
    expect([...again.train.labels]).toEqual([...train.labels]);
    expect(again.contentDigest).toBe((await openDataset(root, { imageSize: 4 })).contentDigest);
  });

  it('holds out validation images, clean and disjoint from the training images', async () => {
    const root = await animals();
    const split = { train: 0.8, val: 0, test: 0.2 };
    const { train, val } = await openDataset(root, { imageSize: 4, split, validation: 0.25, labelNoise: 0.5 });
    expect([train.length, val!.length]).toEqual([36, 12]);
    const origins = (set: typeof train) => Array.from({ length: set.length }, (_, i) => set.origin(i));
    expect(new Set([...origins(train), ...origins(val!)]).size).toBe(48);
    expect(val!.cleanLabels).toBeUndefined();
    await expect(openDataset(root, { imageSize: 4, validation: 0.25 })).rejects.toThrow('has a validation set already');
    await expect(openDataset(root, { imageSize: 4, split, validation: 1 })).rejects.toThrow('between 0 and 1');
  });

  it('suggests names, and tells missing folders and files', async () => {
    await expect(openDataset('cifar-10')).rejects.toThrow(
      /no folder "cifar-10"\. Did you mean "cifar10"\? Known data sets: cifar10/,
    );
    await expect(openDataset('./no/such/folder')).rejects.toThrow('There is no folder ./no/such/folder.');
    const file = join(await temporaryFolder(), 'x.zip');
    await writeFile(file, '');
    await expect(openDataset(file)).rejects.toThrow('x.zip is a file; a data set is a folder of class folders');
    await expect(openDataset('cifar10', { split: { train: 1, val: 0, test: 0 } })).rejects.toThrow('has its own split');
    await expect(openDataset(await animals(), { classes: ['bea'] })).rejects.toThrow('Did you mean "bee"?');
  });
});
