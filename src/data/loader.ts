/** Batches of a data set, in a seeded order, prepared ahead of their use. */

import { Random } from '../tensor/random.ts';
import type { ImageDataset } from './dataset.ts';
import { checkMix, type Mix, type MixOptions, mixBatch } from './mix.ts';
import type { FloatImage, Transform } from './transforms.ts';

export interface Batch {
  /** (N, C, H, W) row-major. */
  readonly images: Float32Array;
  readonly shape: readonly [batch: number, channels: number, height: number, width: number];
  /** (N) */
  readonly labels: Int32Array;
  /** (N) each image's index in the loader's data set. */
  readonly indices: Int32Array;
  /** Of a batch whose images are mixed with others. */
  readonly mix?: Mix;
}

export interface DataLoaderOptions {
  readonly batchSize: number;
  readonly transform: Transform;
  /** A new order every epoch (default: the data set's order). */
  readonly shuffle?: boolean;
  /** Decides order and augmentation (default 0). */
  readonly seed?: number;
  /** Leaves out a last batch smaller than `batchSize` (default: it is given). */
  readonly dropLast?: boolean;
  /** Mixes the images of a batch (default: not). */
  readonly mix?: MixOptions;
  /** How many batches are prepared while the consumer works on one (default 2; 0: none). */
  readonly prefetch?: number;
}

/** Decoding runs in other threads, so several images at once; not all of a batch, or large photos would fill the memory. */
const IMAGES_AT_ONCE = 8;

/** Calls `task` for 0 … count-1, at most `limit` at a time; after a failure starts no more, and throws the first. */
export async function forEachConcurrent(
  count: number,
  limit: number,
  task: (index: number) => void | Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    try {
      while (next < count) {
        const pending = task(next++);
        if (pending) await pending;
      }
    } catch (error) {
      next = count;
      throw error;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(limit, count) }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

export class DataLoader {
  readonly dataset: ImageDataset;
  readonly batchSize: number;
  readonly transform: Transform;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
  readonly prefetch: number;
  readonly mix: MixOptions;
  readonly #random: Random;

  constructor(dataset: ImageDataset, options: DataLoaderOptions) {
    const { batchSize, transform, shuffle = false, seed = 0, dropLast = false, prefetch = 2, mix = {} } = options;
    checkMix(mix);
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new RangeError(`batchSize must be a whole number ≥ 1, but got ${batchSize}.`);
    }
    if (!Number.isInteger(prefetch) || prefetch < 0) {
      throw new RangeError(`prefetch must be a whole number ≥ 0, but got ${prefetch}.`);
    }
    if (dataset.length === 0) throw new Error(`${dataset.name} has no images.`);
    if (dropLast && dataset.length < batchSize) {
      throw new RangeError(
        `${dataset.name} has ${dataset.length} images: with batchSize ${batchSize} and dropLast there is no batch at all.`,
      );
    }
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.transform = transform;
    this.shuffle = shuffle;
    this.seed = seed;
    this.dropLast = dropLast;
    this.prefetch = prefetch;
    this.mix = mix;
    this.#random = new Random(seed);
  }

  /** Batches in an epoch. */
  get length(): number {
    const batches = this.dataset.length / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Images in an epoch. */
  get imageCount(): number {
    return this.dropLast ? this.length * this.batchSize : this.dataset.length;
  }

  /** The order in which epoch `epoch` visits the data set's images. */
  order(epoch: number): Int32Array {
    if (this.shuffle) return this.#random.fork('order').fork(epoch).permutation(this.dataset.length);
    return Int32Array.from({ length: this.dataset.length }, (_, i) => i);
  }

  /**
   * The batches of an epoch from number `firstBatch` on; a run that stopped after k batches resumes with k. The bytes depend on the
   * data set, the transform, `seed`, `batchSize` and `epoch` only. Throws, naming the image, where one cannot be read.
   */
  async *epoch(epoch: number, firstBatch = 0): AsyncGenerator<Batch, void, void> {
    if (!Number.isInteger(firstBatch) || firstBatch < 0 || firstBatch > this.length) {
      throw new RangeError(`An epoch has ${this.length} batches, but it was to start at batch ${firstBatch}.`);
    }
    const order = this.order(epoch);
    const augmentation = this.#random.fork('augmentation').fork(epoch);
    const ready: Promise<Batch>[] = [];
    // Batches are made one after another, images within a batch at once: that bounds the memory and keeps the order.
    let last: Promise<unknown> = Promise.resolve();
    let next = firstBatch;
    let left = false;
    try {
      while (true) {
        while (next < this.length && ready.length <= this.prefetch) {
          const indices = order.slice(next * this.batchSize, (next + 1) * this.batchSize);
          const mixing = this.#random.fork('mix').fork(epoch).fork(next);
          const batch = last.then(() => {
            if (left) throw new Error('The epoch was left before this batch was made.');
            return this.#makeBatch(indices, augmentation, mixing);
          });
          // Whoever takes the batch sees its error; a consumer that left early does not, and must not crash the process.
          batch.catch(() => {});
          last = batch;
          ready.push(batch);
          next++;
        }
        const batch = ready.shift();
        if (!batch) return;
        yield await batch;
      }
    } finally {
      // A consumer that leaves early waits for the batch in work, so that nothing runs on behind its back.
      left = true;
      await Promise.allSettled(ready);
    }
  }

  async #makeBatch(indices: Int32Array, augmentation: Random, mixing: Random): Promise<Batch> {
    const labels = Int32Array.from(indices, (index) => this.dataset.labels[index]!);
    let images: Float32Array | undefined;
    let first: FloatImage | undefined;
    const place = (image: FloatImage, position: number) => {
      first ??= image;
      images ??= new Float32Array(indices.length * image.data.length);
      if (image.height !== first.height || image.width !== first.width) {
        throw new Error(
          `is ${image.height}×${image.width} after "${this.transform.description}", but another image of its batch is ` +
            `${first.height}×${first.width}; end the image steps with a crop or a resize to [height, width]`,
        );
      }
      images.set(image.data, position * image.data.length);
    };
    await forEachConcurrent(indices.length, IMAGES_AT_ONCE, (position) => {
      const index = indices[position]!;
      const fail = (cause: unknown) => {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`Image ${index} (${this.dataset.origin(index)}): ${reason}`, { cause });
      };
      try {
        const image = this.dataset.image(index);
        if (image instanceof Promise) {
          return image
            .then((decoded) => place(this.transform.apply(decoded, augmentation.fork(index)), position))
            .catch(fail);
        }
        place(this.transform.apply(image, augmentation.fork(index)), position);
      } catch (cause) {
        fail(cause);
      }
    });
    const shape = [indices.length, 3, first!.height, first!.width] as const;
    const mix = mixBatch(images!, shape, labels, this.mix, mixing);
    return { images: images!, shape, labels, indices, ...(mix && { mix }) };
  }
}
