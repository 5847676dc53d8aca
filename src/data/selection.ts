/**
 * Smaller, split and noisier data sets. All are seeded, and all draw per class from a stream named by the class, so that
 * what happens to "dog" does not depend on which other classes are there.
 */

import { Random } from '../tensor/random.ts';
import { didYouMean } from '../tensor/suggest.ts';
import { type ImageDataset, indicesByClass, subset } from './dataset.ts';

const ascending = (indices: number[]): Int32Array => Int32Array.from(indices).sort();

/**
 * Only the classes `names`, relabelled 0, 1, … in the order given. Throws on an unknown or repeated name.
 * Select classes before adding label noise: a wrong label could point to a class that is gone.
 */
export function selectClasses(dataset: ImageDataset, names: readonly string[]): ImageDataset {
  if (dataset.cleanLabels) throw new Error(`${dataset.name}: select classes before adding label noise, not after.`);
  if (names.length === 0) throw new Error(`${dataset.name}: no class was selected; name at least one.`);
  const newLabel = new Map<number, number>();
  names.forEach((name, label) => {
    const old = dataset.classes.indexOf(name);
    if (old < 0) {
      const known = dataset.classes.length > 20 ? `has ${dataset.classes.length}` : `has ${dataset.classes.join(', ')}`;
      throw new Error(`${dataset.name} has no class "${name}".${didYouMean(name, dataset.classes)} It ${known}.`);
    }
    if (newLabel.has(old)) throw new Error(`${dataset.name}: class "${name}" is selected twice.`);
    newLabel.set(old, label);
  });
  const kept: number[] = [];
  dataset.labels.forEach((label, index) => {
    if (newLabel.has(label)) kept.push(index);
  });
  const labels = Int32Array.from(kept, (index) => newLabel.get(dataset.labels[index]!)!);
  return subset(dataset, Int32Array.from(kept), { classes: [...names], labels });
}

/**
 * `count` images of every class, drawn without replacement, in the data set's order. With the same seed a smaller count
 * gives a subset of a larger one. Throws where a class has fewer.
 */
export function perClass(dataset: ImageDataset, count: number, seed: number): ImageDataset {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`Images per class must be at least 1, got ${count}.`);
  const random = new Random(seed).fork('per class');
  const chosen = indicesByClass(dataset).flatMap((indices, label) => {
    const name = dataset.classes[label]!;
    if (indices.length < count) {
      throw new RangeError(
        `${dataset.name}: ${count} images per class were asked for, but class "${name}" has ${indices.length}.`,
      );
    }
    return random.fork(name).shuffle(indices).slice(0, count);
  });
  return subset(dataset, ascending(chosen));
}

/**
 * How many of `count` images each part gets: proportional to `fractions`, rounded by largest remainder, and at least one
 * for every part with a positive fraction (taken from what no part wants, else from the largest part). Undefined where there are fewer images than parts.
 */
export function apportion(count: number, fractions: readonly number[]): number[] | undefined {
  const left = Math.max(0, 1 - fractions.reduce((sum, fraction) => sum + fraction, 0));
  const exact = [...fractions, left].map((fraction) => fraction * count);
  // The guard keeps 0.7 * 10 = 7.000000000000001 or 6.999999999999999 at 7.
  const sizes = exact.map((size) => Math.floor(size + 1e-9));
  const byRemainder = exact
    .map((_, part) => part)
    .sort((a, b) => exact[b]! - sizes[b]! - (exact[a]! - sizes[a]!) || a - b);
  let missing = count - sizes.reduce((sum, size) => sum + size, 0);
  for (const part of byRemainder) {
    if (missing <= 0) break;
    sizes[part]!++;
    missing--;
  }
  const leftOver = fractions.length;
  for (let part = 0; part < fractions.length; part++) {
    if (fractions[part] === 0 || sizes[part]! > 0) continue;
    const donor = sizes[leftOver]! > 0 ? leftOver : sizes.indexOf(Math.max(...sizes));
    if (donor !== leftOver && sizes[donor]! < 2) return undefined;
    sizes[donor]!--;
    sizes[part]!++;
  }
  return sizes.slice(0, fractions.length);
}

/**
 * Disjoint parts with the class proportions of the whole: `stratifiedSplit(d, { train: 0.8, val: 0.2 }, seed)`.
 * Fractions are ≥ 0 and sum to at most 1; where they sum to 1 every image is in exactly one part. Every class has at least
 * one image in every part of positive fraction; a class with too few images for that is an error.
 */
export function stratifiedSplit<Part extends string>(
  dataset: ImageDataset,
  fractions: Readonly<Record<Part, number>>,
  seed: number,
): Record<Part, ImageDataset> {
  const parts = Object.keys(fractions) as Part[];
  const shares = parts.map((part) => fractions[part]);
  const sum = shares.reduce((total, share) => total + share, 0);
  if (shares.some((share) => !(share >= 0)) || sum > 1 + 1e-9) {
    const given = parts.map((part) => `${part} ${fractions[part]}`).join(', ');
    throw new RangeError(`Split fractions must be 0 or more and sum to at most 1, but got ${given} (sum ${sum}).`);
  }
  const random = new Random(seed).fork('split');
  const members = parts.map((): number[] => []);
  indicesByClass(dataset).forEach((indices, label) => {
    const name = dataset.classes[label]!;
    const sizes = apportion(indices.length, shares);
    if (!sizes) {
      throw new RangeError(
        `${dataset.name}: class "${name}" has ${indices.length} images, too few to be in each of ${parts.join(', ')}.`,
      );
    }
    random.fork(name).shuffle(indices);
    let start = 0;
    sizes.forEach((size, part) => {
      members[part]!.push(...indices.slice(start, start + size));
      start += size;
    });
  });
  const split = parts.map((part, i) => [part, subset(dataset, ascending(members[i]!))] as const);
  return Object.fromEntries(split) as Record<Part, ImageDataset>;
}

/** A random share of the images whatever their class, in the data set's order (what the paper's authors do; see `stratifiedSplit`). */
export function randomFraction(dataset: ImageDataset, fraction: number, seed: number): ImageDataset {
  if (!(fraction > 0 && fraction <= 1)) throw new RangeError(`A share must be above 0 and at most 1, got ${fraction}.`);
  const chosen = new Random(seed).fork('fraction').permutation(dataset.length);
  return subset(dataset, ascending([...chosen.slice(0, Math.max(1, Math.round(fraction * dataset.length)))]));
}

/**
 * Symmetric label noise: in every class of n images exactly round(fraction · n) get a wrong label, drawn uniformly from the
 * *other* classes. So exactly that share is wrong. (Redrawing a share uniformly from *all* K classes, as some papers
 * do, leaves 1/K of the redrawn labels right: a fraction f there is about f · (K − 1)/K here.) The right labels stay in `cleanLabels`.
 */
export function withLabelNoise(dataset: ImageDataset, fraction: number, seed: number): ImageDataset {
  if (!(fraction >= 0 && fraction <= 1)) throw new RangeError(`Label noise must be from 0 to 1, but got ${fraction}.`);
  if (dataset.cleanLabels) throw new Error(`${dataset.name} has label noise already.`);
  const classes = dataset.classes.length;
  if (fraction > 0 && classes < 2) throw new RangeError(`${dataset.name}: label noise needs two classes or more.`);
  const random = new Random(seed).fork('label noise');
  const labels = Int32Array.from(dataset.labels);
  indicesByClass(dataset).forEach((indices, label) => {
    const stream = random.fork(dataset.classes[label]!);
    const wrong = stream.shuffle(indices).slice(0, Math.round(fraction * indices.length));
    for (const index of wrong) labels[index] = (label + 1 + stream.integer(classes - 1)) % classes;
  });
  const all = Int32Array.from(labels, (_, index) => index);
  return subset(dataset, all, { labels, cleanLabels: dataset.labels });
}
