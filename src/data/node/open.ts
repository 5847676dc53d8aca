/** Opens a data set by name or path, and applies what the command line can ask of any of them. */
import { stat } from 'node:fs/promises';
import { didYouMean } from '../../tensor/suggest.ts';
import { CATALOGUE, type CatalogueEntry } from '../catalogue.ts';
import { concatenate, type ImageDataset, mapImages } from '../dataset.ts';
import { perClass, randomFraction, selectClasses, stratifiedSplit, withLabelNoise } from '../selection.ts';
import type { CataloguedDataset, CataloguedOptions } from './catalogued.ts';
import { openCifar10 } from './cifar10.ts';
import { fitSquare, type ImageFit, openImageFolder, type SplitFractions } from './imageFolder.ts';
import { openMnist } from './mnist.ts';

export interface OpenOptions {
  /** Only these classes, labelled in this order, in every split. */
  readonly classes?: readonly string[];
  /** So many training images of each class. */
  readonly trainPerClass?: number;
  /** This fraction of the training labels, in each class, is made wrong. */
  readonly labelNoise?: number;
  /** Decides split, choice of images and noise (default 0). */
  readonly seed?: number;
  /** The share of the training images that is used: of each class (default), or of all at random (the paper's authors). */
  readonly trainFraction?: number;
  readonly stratified?: boolean;
  /** The validation images are trained on too; there are none then. */
  readonly trainOnValidation?: boolean;
  /** Images become squares of this side; without it they keep their size. */
  readonly imageSize?: number;
  /** How they become squares: see `ImageFolderOptions`. */
  readonly fit?: ImageFit;
  /** How a folder without train/ and test/ is split (default 0.7, 0.1, 0.2). */
  readonly split?: SplitFractions;
  /** Holds out this fraction of the training images where the data set has no validation set of its own. */
  readonly validation?: number;
  /** Of image folders: see `ImageFolderOptions`. */
  readonly decode?: 'auto' | 'memory' | 'lazy';
  /** The cache folder (default: `cacheFolder()`). */
  readonly cache?: string;
  /** Sentences about what takes long: fetching, decoding. */
  readonly onMessage?: (message: string) => void;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface OpenedDataset {
  readonly train: ImageDataset;
  readonly val?: ImageDataset;
  readonly test: ImageDataset;
  readonly classes: readonly string[];
  /** One paragraph for people: counts, split, what was selected. */
  readonly description: string;
  /** sha256 of the source, before any selection. */
  readonly contentDigest: string;
  /** What `contentDigest` covers: all bytes, or (folders that are decoded lazily) paths and sizes. */
  readonly digestCovers: 'content' | 'sizes';
  /** The catalogue's entry, for data sets known by name. */
  readonly entry?: CatalogueEntry;
}

type Source = Omit<OpenedDataset, 'description'> & { readonly about: string };

/** By the catalogue's names. */
const OPENERS: Readonly<Record<string, (options: CataloguedOptions) => Promise<CataloguedDataset>>> = {
  cifar10: openCifar10,
  mnist: openMnist,
};

async function openNamed(entry: CatalogueEntry, options: OpenOptions): Promise<Source> {
  const { cache, onMessage, imageSize, fit } = options;
  if (options.split) throw new Error(`${entry.name} has its own split; hold out validation images instead.`);
  const source = await OPENERS[entry.name]!({ entry, ...(cache && { cache }), ...(onMessage && { onMessage }) });
  const [height, width] = entry.imageSize;
  const isSize = imageSize === undefined || (imageSize === height && imageSize === width);
  const sized = (set: ImageDataset) => (isSize ? set : mapImages(set, (image) => fitSquare(image, imageSize, fit)));
  const { contentDigest } = source;
  const { classes, title: about } = entry;
  return {
    train: sized(source.train),
    test: sized(source.test),
    classes,
    about,
    contentDigest,
    digestCovers: 'content',
    entry,
  };
}

async function openFolder(path: string, options: OpenOptions): Promise<Source> {
  const folder = await openImageFolder(path, options);
  const about = `${path}: ${folder.splitBy === 'folder' ? 'split by its folders' : `split with seed ${options.seed ?? 0}`}`;
  return { ...folder, about };
}

async function openSource(nameOrPath: string, options: OpenOptions): Promise<Source> {
  const entry = CATALOGUE.find(({ name }) => name === nameOrPath);
  if (entry) return openNamed(entry, options);
  const stats = await stat(nameOrPath).catch(() => undefined);
  if (stats?.isDirectory()) return openFolder(nameOrPath, options);
  if (stats) throw new Error(`${nameOrPath} is a file; a data set is a folder of class folders, or a known name.`);
  const names = CATALOGUE.map(({ name }) => name);
  if (/[\\/]/.test(nameOrPath)) throw new Error(`There is no folder ${nameOrPath}.`);
  throw new Error(
    `There is no data set and no folder "${nameOrPath}".${didYouMean(nameOrPath, names)} ` +
      `Known data sets: ${names.join(', ')}; anything else is a path to a folder of class folders.`,
  );
}

function holdOut(source: Source, fraction: number, seed: number): Pick<OpenedDataset, 'train' | 'val'> {
  if (source.val) throw new Error('The data set has a validation set already; do not ask for another.');
  if (!(fraction > 0 && fraction < 1)) throw new RangeError(`validation must be between 0 and 1, but got ${fraction}.`);
  return stratifiedSplit(source.train, { train: 1 - fraction, val: fraction }, seed);
}

/** The training images that are used. */
function reduceTraining(train: ImageDataset, options: OpenOptions): ImageDataset {
  const { trainFraction, stratified = true, trainPerClass, labelNoise, seed = 0 } = options;
  let chosen = train;
  if (trainFraction !== undefined && trainFraction < 1)
    chosen = stratified
      ? stratifiedSplit(chosen, { train: trainFraction }, seed).train
      : randomFraction(chosen, trainFraction, seed);
  if (trainPerClass !== undefined) chosen = perClass(chosen, trainPerClass, seed);
  return labelNoise === undefined ? chosen : withLabelNoise(chosen, labelNoise, seed);
}

/**
 * Opens `cifar10`, `mnist` or a folder of images. Applied in this order: classes (all splits), validation images held out or
 * joined, share of the training images, images per class, label noise (training images only: validation and test stay clean).
 */
export async function openDataset(nameOrPath: string, options: OpenOptions = {}): Promise<OpenedDataset> {
  const { classes: chosen, trainFraction, trainPerClass, labelNoise, seed = 0, validation } = options;
  const { about, ...source } = await openSource(nameOrPath, options);
  const select = (set: ImageDataset) => (chosen ? selectClasses(set, chosen) : set);
  let train = select(source.train);
  let val = source.val && select(source.val);
  const test = select(source.test);
  if (validation !== undefined) ({ train, val = undefined } = holdOut({ ...source, about, train }, validation, seed));
  if (options.trainOnValidation && val) [train, val] = [concatenate(train, val), undefined];
  train = reduceTraining(train, options);

  const { classes } = train;
  const counts = [`${train.length} training`, val && `${val.length} validation`, `${test.length} test`].filter(Boolean);
  const facts = [
    about,
    `${classes.length} classes (${classes.length > 20 ? `${classes.slice(0, 20).join(', ')}, …` : classes.join(', ')})`,
    `${counts.join(', ')} images`,
    trainFraction !== undefined &&
      trainFraction < 1 &&
      `${100 * trainFraction} % of the training images, with seed ${seed}`,
    trainPerClass !== undefined && `${trainPerClass} training images per class drawn with seed ${seed}`,
    labelNoise && `${100 * labelNoise} % of the training labels made wrong with seed ${seed}`,
  ];
  const { val: _, ...rest } = source;
  return { ...rest, train, ...(val && { val }), test, classes, description: `${facts.filter(Boolean).join('; ')}.` };
}
