/**
 * Folders of images, one subfolder per class:
 *
 *     root/{train,val,test}/<class>/<image>     with its own split (`valid` and `validation` are taken for `val`), or
 *     root/<class>/<image>                      split here: seeded, stratified, by default 70 % train, 10 % val, 20 % test.
 *
 * Where only train/ and val/ are given, val/ is the test set; where only train/ is given, it is split. Class names are the
 * folders' names, sorted. Hidden files and files without an image's extension are left out; a file with such an extension that
 * cannot be decoded is an error that names it. Images may lie in subfolders of their class.
 */
import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { extname, join, relative, sep } from 'node:path';
import { didYouMean } from '../../tensor/suggest.ts';
import { type ImageDataset, InMemoryDataset, type RawImage } from '../dataset.ts';
import { forEachConcurrent } from '../loader.ts';
import { resizeAndCropCenter, resizeNearest, shorterSideTo } from '../resample.ts';
import { stratifiedSplit } from '../selection.ts';
import { decodeFile, IMAGE_EXTENSIONS } from './decode.ts';
import { digestOf, sha256 } from './digest.ts';

export interface SplitFractions {
  readonly train: number;
  readonly val: number;
  readonly test: number;
}
export const DEFAULT_SPLIT: SplitFractions = { train: 0.7, val: 0.1, test: 0.2 };

export interface ImageFolderOptions {
  /** Every image becomes a square of this side. Without it images keep their sizes. */
  readonly imageSize?: number;
  /**
   * How: `square` (default) brings the shorter side to it, antialiased, and takes the middle; `stretch` brings both sides to it by the
   * nearest neighbour, whatever the proportions (the paper's authors).
   */
  readonly fit?: ImageFit;
  /**
   * 'memory' decodes everything when the folder is opened, 'lazy' each image when it is used. 'auto' (default) is 'memory'
   * where `imageSize` is given and the pixels fit in `memoryLimitBytes` (default 2 GiB).
   */
  readonly decode?: 'auto' | 'memory' | 'lazy';
  readonly memoryLimitBytes?: number;
  /** For folders without a split of their own. */
  readonly split?: SplitFractions;
  readonly seed?: number;
  /** Called while decoding. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface ImageFolder {
  readonly train: ImageDataset;
  readonly val?: ImageDataset;
  readonly test: ImageDataset;
  readonly classes: readonly string[];
  /** The folder's own, or made here from `root/<class>` or from `root/train/<class>`. */
  readonly splitBy: 'folder' | 'seed';
  /** sha256 over every image's path and content; over path and size where images are decoded lazily. */
  readonly contentDigest: string;
  readonly digestCovers: 'content' | 'sizes';
}

interface Listing {
  readonly paths: readonly string[];
  readonly labels: Int32Array;
  readonly classes: readonly string[];
}

const isVisible = (entry: Dirent): boolean => !entry.name.startsWith('.');
const isImage = (name: string): boolean => IMAGE_EXTENSIONS.includes(extname(name).toLowerCase());

/** Names of the visible subfolders, links to folders included, sorted. */
async function subfolders(folder: string): Promise<string[]> {
  const names: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!isVisible(entry)) continue;
    const isLinkToFolder = async () => entry.isSymbolicLink() && (await stat(join(folder, entry.name))).isDirectory();
    if (entry.isDirectory() || (await isLinkToFolder())) names.push(entry.name);
  }
  return names.sort();
}

/** Paths of the images under a folder, sorted. */
async function imagesUnder(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!isVisible(entry)) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) paths.push(...(await imagesUnder(path)));
    else if (isImage(entry.name)) paths.push(path);
  }
  return paths.sort();
}

/** The images of `folder/<class>/`. With `known` classes, others are refused and classes may be absent. */
async function listClasses(folder: string, known?: readonly string[]): Promise<Listing> {
  const names = await subfolders(folder);
  if (names.length === 0) {
    const found = (await imagesUnder(folder)).length;
    throw new Error(
      `${folder} has no class folders${found ? ` (but ${found} images)` : ''}. Images must lie in ROOT/<class>/ or in ROOT/{train,val,test}/<class>/.`,
    );
  }
  const classes = known ?? names;
  const paths: string[] = [];
  const labels: number[] = [];
  for (const name of names) {
    const label = classes.indexOf(name);
    if (label < 0) {
      throw new Error(`${folder} has the class "${name}", which train has not.${didYouMean(name, classes)}`);
    }
    const images = await imagesUnder(join(folder, name));
    if (images.length === 0) {
      throw new Error(
        `${join(folder, name)} has no images (files ending in ${IMAGE_EXTENSIONS.join(', ')}). Add some, or remove the folder.`,
      );
    }
    for (const path of images) {
      paths.push(path);
      labels.push(label);
    }
  }
  return { paths, labels: Int32Array.from(labels), classes };
}

/** What is in `root`: listings of its own splits, or one listing to be split. */
async function listRoot(root: string): Promise<{ train: Listing; val?: Listing; test?: Listing }> {
  const names = await subfolders(root);
  // A class may be called "train": it is a split only if it has folders within.
  const hasOwnSplit = names.includes('train') && (await subfolders(join(root, 'train'))).length > 0;
  if (!hasOwnSplit) return { train: await listClasses(root) };
  const train = await listClasses(join(root, 'train'));
  const valName = ['val', 'valid', 'validation'].find((name) => names.includes(name));
  const val = valName && (await listClasses(join(root, valName), train.classes));
  const test = names.includes('test') && (await listClasses(join(root, 'test'), train.classes));
  if (!test) return { train, ...(val && { test: val }) };
  return { train, ...(val && { val }), test };
}

export type ImageFit = 'square' | 'stretch';

/** A square of that side; see `ImageFolderOptions.fit`. */
export function fitSquare(image: RawImage, size: number, fit: ImageFit = 'square'): RawImage {
  if (fit === 'stretch') return resizeNearest(image, size, size);
  return resizeAndCropCenter(image, shorterSideTo(size, image), size, size);
}

type Fingerprint = (path: string, value: string) => void;

/** Decodes all images into one block, a few at a time: of a large photo only its pixels and the result are in memory. */
async function decodeAll(
  name: string,
  listing: Listing,
  size: number,
  fit: ImageFit | undefined,
  fingerprint: Fingerprint,
  onDecoded: () => void,
): Promise<ImageDataset> {
  const { paths, labels, classes } = listing;
  const imageBytes = size * size * 3;
  const pixels = new Uint8Array(paths.length * imageBytes);
  await forEachConcurrent(paths.length, Math.min(8, availableParallelism() + 1), async (index) => {
    const path = paths[index]!;
    const { image, bytes } = await decodeFile(path);
    pixels.set(fitSquare(image, size, fit).data, index * imageBytes);
    fingerprint(path, sha256(bytes));
    onDecoded();
  });
  return new InMemoryDataset({ name, classes, pixels, labels, height: size, width: size, origins: paths });
}

async function decodeLazily(
  name: string,
  listing: Listing,
  size: number | undefined,
  fit: ImageFit | undefined,
  fingerprint: Fingerprint,
): Promise<ImageDataset> {
  const { paths, labels, classes } = listing;
  await forEachConcurrent(paths.length, 8, async (index) => {
    fingerprint(paths[index]!, String((await stat(paths[index]!)).size));
  });
  return {
    name,
    classes,
    length: paths.length,
    labels,
    channels: 3,
    async image(index) {
      const { image } = await decodeFile(paths[index]!);
      return size === undefined ? image : fitSquare(image, size, fit);
    },
    origin: (index) => paths[index]!,
  };
}

/** Opens a folder of images in one of the two layouts above. */
export async function openImageFolder(root: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  const { imageSize, decode = 'auto', memoryLimitBytes = 2 ** 31, split = DEFAULT_SPLIT, seed = 0 } = options;
  if (imageSize !== undefined && (!Number.isInteger(imageSize) || imageSize < 1)) {
    throw new RangeError(`imageSize must be a whole number ≥ 1, but got ${imageSize}.`);
  }
  if (decode === 'memory' && imageSize === undefined) {
    throw new Error(`Decoding ${root} into memory needs one imageSize for all images.`);
  }
  const listings = await listRoot(root);
  const total = Object.values(listings).reduce((sum, listing) => sum + listing.paths.length, 0);
  const bytes = total * (imageSize ?? 0) ** 2 * 3;
  const inMemory = decode === 'memory' || (decode === 'auto' && imageSize !== undefined && bytes <= memoryLimitBytes);

  const fingerprints = new Map<string, string>();
  const fingerprint: Fingerprint = (path, value) => {
    fingerprints.set(relative(root, path).split(sep).join('/'), value);
  };
  let done = 0;
  const onDecoded = () => options.onProgress?.(++done, total);
  const open = (part: string, listing: Listing): Promise<ImageDataset> => {
    const name = part ? `${root} ${part}` : root;
    if (inMemory) return decodeAll(name, listing, imageSize!, options.fit, fingerprint, onDecoded);
    return decodeLazily(name, listing, imageSize, options.fit, fingerprint);
  };

  const { classes } = listings.train;
  let parts: { train: ImageDataset; val?: ImageDataset; test: ImageDataset };
  if (listings.test) {
    const train = await open('train', listings.train);
    const val = listings.val && (await open('val', listings.val));
    parts = { train, ...(val && { val }), test: await open('test', listings.test) };
  } else {
    const { train, val, test } = stratifiedSplit(await open('', listings.train), { ...split }, seed);
    parts = { train, ...(val.length > 0 && { val }), test };
  }
  return {
    ...parts,
    classes,
    splitBy: listings.test ? 'folder' : 'seed',
    contentDigest: digestOf(fingerprints),
    digestCovers: inMemory ? 'content' : 'sizes',
  };
}
