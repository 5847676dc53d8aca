import { existsSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { ImageDataset } from '../../../src/data/dataset.ts';
import { DataLoader } from '../../../src/data/loader.ts';
import { decodeFile } from '../../../src/data/node/decode.ts';
import { openImageFolder } from '../../../src/data/node/imageFolder.ts';
import { compose, toRaw } from '../../../src/data/transforms.ts';
import { temporaryFolder, writeClasses, writeImage } from './fixtures.ts';

/** The colours (class, k) that the fixture gave the images of a data set, sorted. */
async function colours(set: ImageDataset): Promise<string[]> {
  const images = await Promise.all(Array.from({ length: set.length }, (_, i) => set.image(i)));
  images.forEach((image, i) => {
    expect(set.classes[set.labels[i]!]).toBe(set.origin(i).split('/').at(-2));
    expect(image.data[2]).toBe(9);
  });
  return images.map((image) => `${image.data[0]}.${image.data[1]}`).sort();
}

describe('openImageFolder', () => {
  it('splits root/<class> with a seed, stratified, each image once', async () => {
    const root = await temporaryFolder();
    await writeClasses(root, ['cat', 'ant'], 10);
    const folder = await openImageFolder(root, { imageSize: 4, seed: 1 });
    expect(folder.classes).toEqual(['ant', 'cat']);
    expect(folder.splitBy).toBe('seed');
    expect([folder.train.length, folder.val?.length, folder.test.length]).toEqual([14, 2, 4]);
    const all = [...(await colours(folder.train)), ...(await colours(folder.val!)), ...(await colours(folder.test))];
    expect(new Set(all).size).toBe(20);
    const lazy = await openImageFolder(root, { imageSize: 4, seed: 1, decode: 'lazy' });
    expect(await colours(lazy.test)).toEqual(await colours(folder.test));
    const otherSeed = await openImageFolder(root, { imageSize: 4, seed: 2 });
    expect(await colours(otherSeed.test)).not.toEqual(await colours(folder.test));
    const noVal = await openImageFolder(root, { imageSize: 4, split: { train: 0.5, val: 0, test: 0.5 } });
    expect([noVal.train.length, noVal.val, noVal.test.length]).toEqual([10, undefined, 10]);
  });

  it('takes root/{train,val,test}; val without test is the test set; train alone is split', async () => {
    const root = await temporaryFolder();
    await writeClasses(join(root, 'train'), ['a', 'b'], 4);
    expect((await openImageFolder(root, { imageSize: 4 })).splitBy).toBe('seed');
    await writeClasses(join(root, 'validation'), ['a', 'b'], 2);
    const two = await openImageFolder(root, { imageSize: 4 });
    expect([two.train.length, two.val, two.test.length, two.splitBy]).toEqual([8, undefined, 4, 'folder']);
    await writeClasses(join(root, 'test'), ['a', 'b'], 3);
    const three = await openImageFolder(root, { imageSize: 4 });
    expect([three.train.length, three.val?.length, three.test.length]).toEqual([8, 4, 6]);
    expect(await colours(three.test)).toEqual(['0.0', '0.1', '0.2', '1.0', '1.1', '1.2']);
    await writeClasses(join(root, 'test'), ['bb'], 1);
    await expect(openImageFolder(root)).rejects.toThrow(
      'test has the class "bb", which train has not. Did you mean "b"?',
    );
  });

  it('takes a class that is called "train" for a class', async () => {
    const root = await temporaryFolder();
    await writeClasses(root, ['bus', 'train'], 3);
    expect((await openImageFolder(root, { imageSize: 4 })).classes).toEqual(['bus', 'train']);
  });

  it('leaves out hidden files and other extensions, takes nested images and links, in any case of letters', async () => {
    const root = await temporaryFolder();
    await writeClasses(root, ['a', 'b'], 3);
    await writeFile(join(root, 'a', 'notes.txt'), 'no image');
    await writeFile(join(root, 'a', '._0.png'), 'a resource fork');
    await writeFile(join(root, 'a', 'Thumbs.db'), 'no image');
    await mkdir(join(root, '.ipynb_checkpoints'));
    await writeFile(join(root, 'README.md'), 'about');
    const plain = await openImageFolder(root, { imageSize: 4 });
    expect(plain.train.length + plain.val!.length + plain.test.length).toBe(6);
    await writeImage(join(root, 'a', 'deeper', 'x.png'), [0, 7, 9]);
    await sharp(join(root, 'a', '0.png'))
      .jpeg()
      .toFile(join(root, 'a', 'Y.JPEG'));
    await symlink(join(root, 'a', '0.png'), join(root, 'b', 'linked.png'));
    const more = await openImageFolder(root, { imageSize: 4 });
    expect(more.train.length + more.val!.length + more.test.length).toBe(9);
  });

  it('names what is wrong', async () => {
    const root = await temporaryFolder();
    await expect(openImageFolder(root)).rejects.toThrow('has no class folders. Images must lie in ROOT/<class>/');
    await writeImage(join(root, 'loose.png'), [1, 1, 1]);
    await expect(openImageFolder(root)).rejects.toThrow('has no class folders (but 1 images)');
    await writeClasses(root, ['a', 'b'], 4);
    await mkdir(join(root, 'empty'));
    await expect(openImageFolder(root)).rejects.toThrow(/empty has no images \(files ending in \.jpg/);
    await rm(join(root, 'empty'), { recursive: true });
    await writeFile(join(root, 'a', 'fake.jpg'), 'this is text');
    await expect(openImageFolder(root, { imageSize: 4 })).rejects.toThrow(
      /a.fake\.jpg cannot be decoded as an image \(.+\)/,
    );
    const lazy = await openImageFolder(root, { imageSize: 4, decode: 'lazy', split: { train: 1, val: 0, test: 0 } });
    const loader = new DataLoader(lazy.train, { batchSize: 16, transform: compose([toRaw()]) });
    await expect(loader.epoch(0).next()).rejects.toThrow(/Image 4 \(.*fake\.jpg\): .*cannot be decoded/);
    await expect(openImageFolder(root, { decode: 'memory' })).rejects.toThrow('needs one imageSize');
    await expect(openImageFolder(root, { imageSize: 0 })).rejects.toThrow('imageSize must be');
  });

  it('decodes lazily above the memory limit and without a size, and tells what the digest covers', async () => {
    const root = await temporaryFolder();
    await writeClasses(root, ['a', 'b'], 3);
    await writeImage(join(root, 'a', 'wide.png'), [0, 50, 9], 5, 7);
    const limited = await openImageFolder(root, { imageSize: 4, memoryLimitBytes: 100 });
    expect([limited.digestCovers, (await limited.train.image(0)).width]).toEqual(['sizes', 4]);
    const free = await openImageFolder(root, { split: { train: 1, val: 0, test: 0 } });
    const sizes = await Promise.all([0, 1, 2, 3].map(async (i) => (await free.train.image(i)).width));
    expect(sizes).toEqual([4, 4, 4, 7]);
    expect((await openImageFolder(root, { imageSize: 4 })).digestCovers).toBe('content');
  });

  it('has a digest of names and contents, not of place or options', async () => {
    const [one, two] = [await temporaryFolder(), await temporaryFolder()];
    for (const root of [one, two]) await writeClasses(root, ['a', 'b'], 3);
    const digest = async (root: string, imageSize = 4) => (await openImageFolder(root, { imageSize })).contentDigest;
    const first = await digest(one);
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest(two, 8)).toBe(first);
    await writeImage(join(two, 'a', '0.png'), [1, 2, 3]);
    expect(await digest(two)).not.toBe(first);
  });
});

describe('decodeFile', () => {
  /** A photo of 2×3 whose left column is bright. */
  const photo = (channels: 1 | 3 = 3) => {
    const pixels = Uint8Array.from({ length: 6 * channels }, (_, i) => (Math.floor(i / channels) % 3 === 0 ? 250 : 10));
    return sharp(pixels, { raw: { width: 3, height: 2, channels } });
  };

  it('turns images as their EXIF orientation says', async () => {
    const path = join(await temporaryFolder(), 'turned.png');
    await photo()
      .withExif({ IFD0: { Orientation: '6' } })
      .withMetadata({ orientation: 6 })
      .png()
      .toFile(path);
    const { image } = await decodeFile(path);
    expect([image.height, image.width]).toEqual([3, 2]);
    expect([...image.data.subarray(0, 6)]).toEqual([250, 250, 250, 250, 250, 250]);
    expect(image.data[6]).toBe(10);
  });

  it('makes grey, transparent, palette and 16-bit images RGB', async () => {
    const folder = await temporaryFolder();
    const expected = Uint8Array.from({ length: 18 }, (_, i) => (Math.floor(i / 3) % 3 === 0 ? 250 : 10));
    await photo(1).toColourspace('b-w').png().toFile(join(folder, 'grey.png'));
    await photo().ensureAlpha(0.2).png().toFile(join(folder, 'alpha.png'));
    await photo().ensureAlpha(0.2).webp({ lossless: true, exact: true }).toFile(join(folder, 'alpha.webp'));
    await photo().png({ palette: true }).toFile(join(folder, 'palette.png'));
    await photo().toColourspace('rgb16').png().toFile(join(folder, 'deep.png'));
    for (const name of ['grey.png', 'alpha.png', 'alpha.webp', 'palette.png', 'deep.png']) {
      const { image } = await decodeFile(join(folder, name));
      expect([image.height, image.width, image.data.length], name).toEqual([2, 3, 18]);
      const off = Math.max(...image.data.map((byte, i) => Math.abs(byte - expected[i]!)));
      expect(off, name).toBeLessThanOrEqual(1);
    }
  });

  it('makes CMYK photos RGB with about the right colours', async () => {
    const path = join(await temporaryFolder(), 'print.jpg');
    const red = sharp({ create: { width: 16, height: 16, channels: 3, background: { r: 200, g: 30, b: 30 } } });
    await red.toColourspace('cmyk').jpeg({ quality: 95 }).toFile(path);
    expect((await sharp(path).metadata()).space).toBe('cmyk');
    const { image } = await decodeFile(path);
    expect(image.data).toHaveLength(16 * 16 * 3);
    expect(image.data[0]!).toBeGreaterThan(150);
    expect(Math.max(image.data[1]!, image.data[2]!)).toBeLessThan(90);
  });

  it('refuses a file that ends too early, an empty one and a missing one, by name', async () => {
    const folder = await temporaryFolder();
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 2654435761) >>> 24);
    const jpeg = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer();
    await writeFile(join(folder, 'cut.jpg'), jpeg.subarray(0, jpeg.length / 2));
    await writeFile(join(folder, 'empty.png'), '');
    await expect(decodeFile(join(folder, 'cut.jpg'))).rejects.toThrow(/cut\.jpg cannot be decoded .*premature end/);
    await expect(decodeFile(join(folder, 'empty.png'))).rejects.toThrow(/empty\.png cannot be decoded/);
    await expect(decodeFile(join(folder, 'none.png'))).rejects.toThrow(/Cannot read .*none\.png: ENOENT/);
  });
});

const signLanguage = join('..', 'shared', 'data', 'sign-language-digits', 'Dataset');
const present = existsSync(signLanguage);
if (!present) console.log(`Skipped: the sign-language digits, because ${signLanguage} is absent.`);

describe.skipIf(!present)(
  `the sign-language digits (${present ? 'found' : `skipped: ${signLanguage} is absent`})`,
  () => {
    it('opens all 2,062 photos, the multi-megapixel ones included, upright', async () => {
      const folder = await openImageFolder(signLanguage, { imageSize: 32 });
      expect(folder.classes).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
      const sets = [folder.train, folder.val!, folder.test];
      expect(sets.reduce((sum, set) => sum + set.length, 0)).toBe(2062);
      for (const set of sets) expect(new Set(set.labels).size).toBe(10);
      const large = await decodeFile(join(signLanguage, '7', 'IMG_5874.JPG'));
      expect([large.image.height, large.image.width]).toEqual([3024, 3024]);
    });
  },
);
