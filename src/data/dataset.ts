/** What a set of labelled images is, and the two that everything else is made of: one held in memory, and a subset. */

/** One decoded image. `data` is (height, width, 3), row-major, red green blue, 0 to 255. Never written to after decoding. */
export interface RawImage {
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
}

export interface ImageDataset {
  readonly name: string;
  /** Class names; the label of an image is an index into them. */
  readonly classes: readonly string[];
  readonly length: number;
  /** (length) labels as they are trained on. */
  readonly labels: Int32Array;
  /** (length) labels before label noise; present only where noise was added. */
  readonly cleanLabels?: Int32Array;
  readonly channels: 3;
  /** Decodes image `index`, 0 ≤ index < length. */
  image(index: number): RawImage | Promise<RawImage>;
  /** Where image `index` comes from, for error messages: a file's path, or a place in an archive. */
  origin(index: number): string;
}

export function checkLabels(name: string, labels: Int32Array, classes: readonly string[]): void {
  const bad = labels.findIndex((label) => label < 0 || label >= classes.length);
  if (bad >= 0) {
    throw new RangeError(`${name}: image ${bad} has label ${labels[bad]}, but there are ${classes.length} classes.`);
  }
}

/** Throws unless `index` is one of `dataset`'s images. */
export function checkIndex(dataset: ImageDataset, index: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= dataset.length) {
    throw new RangeError(`${dataset.name} has images 0 to ${dataset.length - 1}, but image ${index} was asked for.`);
  }
}

/** Images of one size in one block of memory: CIFAR, MNIST, or a folder decoded and resized when it was opened. */
export class InMemoryDataset implements ImageDataset {
  readonly name: string;
  readonly classes: readonly string[];
  readonly length: number;
  readonly labels: Int32Array;
  readonly channels = 3;
  readonly height: number;
  readonly width: number;
  readonly #pixels: Uint8Array;
  readonly #storedChannels: 1 | 3;
  readonly #origins: readonly string[] | undefined;

  /**
   * `pixels`: (N, height, width, storedChannels), by default 3; grey images (1) are repeated in three channels when they are read, as Pillow's
   * `convert('RGB')` does. `labels`: (N); `origins`: the N places the images come from, for error messages.
   */
  constructor(source: {
    name: string;
    classes: readonly string[];
    pixels: Uint8Array;
    labels: Int32Array;
    height: number;
    width: number;
    storedChannels?: 1 | 3;
    origins?: readonly string[];
  }) {
    const { name, classes, pixels, labels, height, width, storedChannels = 3, origins } = source;
    const needed = labels.length * height * width * storedChannels;
    if (pixels.length !== needed) {
      throw new RangeError(
        `${name}: ${labels.length} images of ${height}×${width}×${storedChannels} need ${needed} bytes, but got ${pixels.length}.`,
      );
    }
    checkLabels(name, labels, classes);
    this.name = name;
    this.classes = classes;
    this.length = labels.length;
    this.labels = labels;
    this.height = height;
    this.width = width;
    this.#pixels = pixels;
    this.#storedChannels = storedChannels;
    this.#origins = origins;
  }

  image(index: number): RawImage {
    checkIndex(this, index);
    const { height, width } = this;
    const bytes = height * width * this.#storedChannels;
    const stored = this.#pixels.subarray(index * bytes, (index + 1) * bytes);
    return { data: this.#storedChannels === 3 ? stored : repeated(stored), height, width };
  }

  origin(index: number): string {
    return this.#origins?.[index] ?? `${this.name}, image ${index}`;
  }
}

/** (H, W) grey → (H, W, 3). */
function repeated(grey: Uint8Array): Uint8Array {
  const data = new Uint8Array(3 * grey.length);
  for (let i = 0; i < grey.length; i++) data.fill(grey[i]!, 3 * i, 3 * i + 3);
  return data;
}

/** What may differ from the parent in a subset that is also relabelled. */
export interface SubsetChanges {
  readonly name?: string;
  readonly classes?: readonly string[];
  /** (indices.length) labels; without them the parent's. */
  readonly labels?: Int32Array;
  readonly cleanLabels?: Int32Array;
}

/** The images of `parent` at `indices`, in that order; image k of the subset is image indices[k] of the parent. */
export function subset(parent: ImageDataset, indices: Int32Array, changes: SubsetChanges = {}): ImageDataset {
  for (const index of indices) checkIndex(parent, index);
  const pick = (labels: Int32Array) => Int32Array.from(indices, (index) => labels[index]!);
  const name = changes.name ?? parent.name;
  const classes = changes.classes ?? parent.classes;
  const labels = changes.labels ?? pick(parent.labels);
  const cleanLabels = changes.cleanLabels ?? (parent.cleanLabels && pick(parent.cleanLabels));
  checkLabels(name, labels, classes);
  const parentIndex = (index: number): number => {
    if (indices[index] === undefined) checkIndex(result, index);
    return indices[index]!;
  };
  const result: ImageDataset = {
    name,
    classes,
    length: indices.length,
    labels,
    ...(cleanLabels && { cleanLabels }),
    channels: 3,
    image: (index) => parent.image(parentIndex(index)),
    origin: (index) => parent.origin(parentIndex(index)),
  };
  return result;
}

/** `parent` with `change` applied to every image when it is read. */
export function mapImages(parent: ImageDataset, change: (image: RawImage) => RawImage): ImageDataset {
  return {
    ...subset(
      parent,
      Int32Array.from({ length: parent.length }, (_, i) => i),
    ),
    image: (index) => {
      const image = parent.image(index);
      return image instanceof Promise ? image.then(change) : change(image);
    },
  };
}

/** The images of `first`, then those of `second`; both have the same classes. Throws where one of them has label noise. */
export function concatenate(first: ImageDataset, second: ImageDataset): ImageDataset {
  if (first.classes.join('\n') !== second.classes.join('\n'))
    throw new Error(`${first.name} and ${second.name} have different classes.`);
  if (first.cleanLabels || second.cleanLabels)
    throw new Error(`${first.name}: join data sets before adding label noise, not after.`);
  const at = (index: number): [ImageDataset, number] =>
    index < first.length ? [first, index] : [second, index - first.length];
  return {
    name: first.name,
    classes: first.classes,
    length: first.length + second.length,
    labels: Int32Array.from([...first.labels, ...second.labels]),
    channels: 3,
    image: (index) => {
      const [part, own] = at(index);
      return part.image(own);
    },
    origin: (index) => {
      const [part, own] = at(index);
      return part.origin(own);
    },
  };
}

/** For each class the indices of its images, ascending. */
export function indicesByClass(dataset: ImageDataset): number[][] {
  const groups: number[][] = dataset.classes.map(() => []);
  dataset.labels.forEach((label, index) => {
    groups[label]!.push(index);
  });
  return groups;
}
