/**
 * CIFAR-10. The package holds each 10,000 images as one PNG of 10,000 rows: a row is one image, its 32·32 pixels in reading order. So the
 * decoded sheet is the (N, 32, 32, 3) array already.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CatalogueEntry, CIFAR10 } from '../catalogue.ts';
import {
  type CataloguedDataset,
  type CataloguedOptions,
  imagesOf,
  openCatalogued,
  type PackageReader,
  SPLITS,
  type Split,
} from './catalogued.ts';
import { decodeFile } from './decode.ts';

/** The package's files. (Its label files are spelled so.) */
const SHEETS = {
  train: { images: [1, 2, 3, 4, 5].map((k) => `data_batch_${k}.png`), labels: 'train_lables.json' },
  test: { images: ['test_batch.png'], labels: 'test_lables.json' },
} as const;

async function readLabels(path: string, count: number, classes: number): Promise<Uint8Array> {
  const labels: unknown = JSON.parse(await readFile(path, 'utf8'));
  const isLabel = (label: unknown) => Number.isInteger(label) && (label as number) >= 0 && (label as number) < classes;
  if (!Array.isArray(labels) || labels.length !== count || !labels.every(isLabel)) {
    throw new Error(`${path} is not a list of ${count} labels from 0 to ${classes - 1}.`);
  }
  return Uint8Array.from(labels);
}

async function readSheets(folder: string, split: Split, entry: CatalogueEntry): Promise<Uint8Array> {
  const [height, width] = entry.imageSize;
  const count = imagesOf(entry, split);
  const names = SHEETS[split].images;
  const rows = count / names.length;
  const pixels = new Uint8Array(count * height * width * 3);
  for (const [k, name] of names.entries()) {
    const path = join(folder, name);
    const { image } = await decodeFile(path);
    if (image.height !== rows || image.width !== height * width) {
      throw new Error(
        `${path} is ${image.height}×${image.width}, but ${rows} rows of ${height * width} were expected.`,
      );
    }
    pixels.set(image.data, k * rows * height * width * 3);
  }
  return pixels;
}

const READER: PackageReader = {
  files: SPLITS.flatMap((split) => [...SHEETS[split].images, SHEETS[split].labels]),
  storedChannels: 3,
  read: async (folder, split, entry) => ({
    images: await readSheets(folder, split, entry),
    labels: await readLabels(join(folder, SHEETS[split].labels), imagesOf(entry, split), entry.classes.length),
  }),
};

/** Opens CIFAR-10: from the cache folder, which is filled through npm when it is empty or damaged. */
export const openCifar10 = (options: CataloguedOptions = {}): Promise<CataloguedDataset> =>
  openCatalogued(READER, { entry: CIFAR10, ...options });
