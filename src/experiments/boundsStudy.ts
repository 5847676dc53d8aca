/**
 * The comparison of bounds (Gouk, Hospedales & Pontil, ICLR 2021, who compare theirs with one in the spectral norm by training networks on
 * MNIST; architectures and numbers are not public). Ours: networks of several widths, depths and numbers of training images learn the
 * second half of a data set's classes, and every bound of `generalizationBounds` is evaluated for them, by distances from
 *
 *   random        their random initial weights
 *   pretrained    the weights that the same network got from the first half of the classes; the classifier is new
 *   held          the same, and kept in a MARS ball around them
 *
 * All train until the cross-entropy of an epoch is at most `loss`: networks are compared at what they have fitted, not at what they were
 * given time for. The classifier's start is its own initial value, in all three.
 */
import { type Batch, type ImageDataset, perClass, selectClasses } from '../data/index.ts';
import type { Device } from '../devices/device.ts';
import type { ModuleState } from '../nn/index.ts';
import { chain, constant, project, SGD } from '../optim/index.ts';
import {
  chainOf,
  type DataConstants,
  dataConstants,
  generalizationBounds,
  type LayerNorms,
  layerNorms,
  marsBall,
  shareWithinMargin,
} from '../regularizers/index.ts';
import { Random } from '../tensor/random.ts';
import { type BatchSource, type EpochRecord, evaluate, fit } from '../train/index.ts';
import { StudyNetwork, type StudyNetworkKind } from './boundsNetworks.ts';

export const STUDY_STARTS = ['random', 'pretrained', 'held'] as const;
export type StudyStart = (typeof STUDY_STARTS)[number];

/** One network to train. */
export interface BoundsCase {
  readonly network: StudyNetworkKind;
  readonly width: number;
  readonly hiddenLayers: number;
  /** Training images of the task. */
  readonly examples: number;
  readonly start: StudyStart;
  readonly seed: number;
}

/** What is the same for all. */
export interface BoundsStudySettings {
  /** Training images of the classes that are learned first. */
  readonly pretrainingExamples: number;
  readonly pretrainingLoss: number;
  /** Mean cross-entropy of an epoch at which training ends. */
  readonly loss: number;
  readonly maxEpochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly momentum: number;
  /** MARS radii of `held`: of the layers, and of the classifier, both around their starts. */
  readonly radius: number;
  readonly headRadius: number;
  /** γ of the margin bounds. */
  readonly margin: number;
}

export const BOUNDS_STUDY_SETTINGS: BoundsStudySettings = {
  pretrainingExamples: 2500,
  pretrainingLoss: 0.1,
  loss: 0.1,
  maxEpochs: 25,
  batchSize: 50,
  learningRate: 0.02,
  momentum: 0.9,
  radius: 5,
  headRadius: 10,
  margin: 1,
};

export interface BoundsRow extends BoundsCase {
  readonly epochs: number;
  readonly steps: number;
  /** Of the last epoch: mean cross-entropy, and share of the images that were right. */
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly testAccuracy: number;
  readonly testLoss: number;
  readonly parameters: number;
  /** Σ over the layers of the spectral norm of their change (what Long & Sedghi 2020 measure). */
  readonly spectralDistance: number;
  /** γ of the margin bounds, and the share of the training images within it. */
  readonly margin: number;
  readonly shareWithinMargin: number;
  readonly data: DataConstants;
  readonly layers: readonly LayerNorms[];
  /** log₁₀ by id; null: the bound is zero. */
  readonly bounds: Readonly<Record<string, number | null>>;
}

export interface StudyImages {
  readonly train: ImageDataset;
  readonly test: ImageDataset;
  readonly imageSize: number;
}

export const caseName = ({ network, width, hiddenLayers, examples, start, seed }: BoundsCase): string =>
  `${network}-width${width}-hidden${hiddenLayers}-examples${examples}-${start}-seed${seed}`;

/** Grey images in memory, (N, height, width) as 0 … 1: the first channel of a data set whose three are alike. */
interface GreyImages {
  readonly pixels: Float32Array;
  readonly labels: Int32Array;
  readonly side: number;
}

async function greyOf(dataset: ImageDataset, side: number): Promise<GreyImages> {
  const places = side * side;
  const pixels = new Float32Array(dataset.length * places);
  for (let n = 0; n < dataset.length; n++) {
    const { data } = await dataset.image(n);
    for (let k = 0; k < places; k++) pixels[n * places + k] = data[3 * k]! / 255;
  }
  return { pixels, labels: dataset.labels, side };
}

/** Batches of them, in an order of the seed's and the epoch's; null: in their own. */
class GreyBatches implements BatchSource {
  private readonly images: GreyImages;
  private readonly batchSize: number;
  private readonly seed: number | null;

  constructor(images: GreyImages, batchSize: number, seed: number | null) {
    this.images = images;
    this.batchSize = batchSize;
    this.seed = seed;
  }

  get length(): number {
    return Math.ceil(this.images.labels.length / this.batchSize);
  }

  async *epoch(epoch: number, firstBatch = 0): AsyncGenerator<Batch, void, void> {
    const { pixels, labels, side } = this.images;
    const places = side * side;
    const own = Int32Array.from(labels, (_, n) => n);
    const order = this.seed === null ? own : new Random(this.seed).fork('order').fork(epoch).permutation(labels.length);
    for (let b = firstBatch; b < this.length; b++) {
      const indices = order.slice(b * this.batchSize, (b + 1) * this.batchSize);
      const images = new Float32Array(indices.length * places);
      indices.forEach((index, n) => {
        images.set(pixels.subarray(index * places, (index + 1) * places), n * places);
      });
      const shape = [indices.length, 1, side, side] as const;
      yield { images, shape, labels: Int32Array.from(indices, (index) => labels[index]!), indices };
    }
  }
}

export class BoundsStudy {
  private readonly images: StudyImages;
  private readonly settings: BoundsStudySettings;
  private readonly device: Device;
  private readonly sourceClasses: readonly string[];
  private readonly taskClasses: readonly string[];
  /** By network and seed: made when the first case asks. */
  private readonly pretrained = new Map<string, ModuleState>();
  private test: Promise<GreyImages> | null = null;

  /** Throws where the data set has less than four classes. */
  constructor(images: StudyImages, settings: BoundsStudySettings, device: Device) {
    const { classes } = images.train;
    if (classes.length < 4) throw new RangeError(`the bounds study needs four classes or more, not ${classes.length}`);
    this.images = images;
    this.settings = settings;
    this.device = device;
    this.sourceClasses = classes.slice(0, Math.floor(classes.length / 2));
    this.taskClasses = classes.slice(-this.sourceClasses.length);
  }

  /** Trains and measures one network. Throws the signal's reason when it aborts. */
  async run(one: BoundsCase, signal?: AbortSignal): Promise<BoundsRow> {
    const { settings, device } = this;
    const { examples, seed, start } = one;
    const model = this.networkOf(one);
    if (start !== 'random') {
      model.loadStateDict(await this.pretrainedWeights(one, signal));
      model.resetHead(seed + 1);
    }
    const began = await model.stateDict();
    const { imageSize } = this.images;
    const train = await this.chosen(this.taskClasses, examples, seed);
    this.test ??= greyOf(selectClasses(this.images.test, this.taskClasses), imageSize);
    const last = await this.train(model, train, settings.loss, start === 'held', seed, signal);
    const evaluation = await evaluate(model, new GreyBatches(await this.test, 500, null), {
      ...(signal && { signal }),
    });
    const { layers: links, outputs } = await chainOf(model, began, {
      inputShape: [1, imageSize, imageSize],
      headAnchor: 'initial',
    });
    const onProgress = () => signal?.throwIfAborted();
    const layers = await layerNorms(links, { device, onProgress });
    const seen = new GreyBatches(train, 500, null);
    const data = await dataConstants(seen.epoch(0), outputs);
    const { margin } = settings;
    return {
      ...one,
      epochs: last.epoch,
      steps: last.step,
      trainLoss: last.loss,
      trainAccuracy: last.accuracy,
      testAccuracy: evaluation.top1,
      testLoss: evaluation.loss,
      parameters: layers.reduce((sum, layer) => sum + layer.parameters, 0),
      spectralDistance: layers.reduce((sum, layer) => sum + layer.spectralDistance, 0),
      margin,
      shareWithinMargin: await shareWithinMargin(model, seen.epoch(0), margin),
      data,
      layers,
      bounds: Object.fromEntries(
        generalizationBounds(layers, data, { margin }).map(({ id, log10 }) => [
          id,
          Number.isFinite(log10) ? log10 : null,
        ]),
      ),
    };
  }

  private networkOf({ network: kind, width, hiddenLayers, seed }: BoundsCase): StudyNetwork {
    const { imageSize } = this.images;
    const classes = this.taskClasses.length;
    return new StudyNetwork({ kind, width, hiddenLayers, imageSize, classes, seed, device: this.device });
  }

  private chosen(classes: readonly string[], examples: number, seed: number): Promise<GreyImages> {
    const { train, imageSize } = this.images;
    return greyOf(perClass(selectClasses(train, classes), Math.round(examples / classes.length), seed), imageSize);
  }

  private async pretrainedWeights(one: BoundsCase, signal: AbortSignal | undefined): Promise<ModuleState> {
    const { network, width, hiddenLayers, seed } = one;
    const key = [network, width, hiddenLayers, seed].join();
    const known = this.pretrained.get(key);
    if (known) return known;
    const model = this.networkOf(one);
    const { pretrainingExamples, pretrainingLoss } = this.settings;
    const source = await this.chosen(this.sourceClasses, pretrainingExamples, seed);
    await this.train(model, source, pretrainingLoss, false, seed, signal);
    const weights = await model.stateDict();
    // Cases come network by network: another one's weights are not asked for again.
    this.pretrained.clear();
    this.pretrained.set(key, weights);
    return weights;
  }

  /** To the loss, or to the last epoch; the last epoch's record. */
  private async train(
    model: StudyNetwork,
    images: GreyImages,
    loss: number,
    isHeld: boolean,
    seed: number,
    signal: AbortSignal | undefined,
  ): Promise<EpochRecord> {
    const { batchSize, learningRate, momentum, radius, headRadius, maxEpochs } = this.settings;
    const sgd = new SGD(model.parameters(), { learningRate, momentum });
    const ball = isHeld ? marsBall(model, { extractor: radius, classifier: headRadius, headAnchor: 'initial' }) : null;
    const reached = new AbortController();
    let last: EpochRecord | undefined;
    // biome-ignore lint/suspicious/noFocusedTests: the training loop, not a test
    await fit({
      model,
      loader: new GreyBatches(images, batchSize, seed),
      optimizer: ball ? chain(sgd, project(ball)) : sgd,
      constraint: ball,
      schedule: constant(learningRate),
      epochs: maxEpochs,
      signal: signal ? AbortSignal.any([signal, reached.signal]) : reached.signal,
      onEpoch: (record) => {
        last = record;
        if (record.loss <= loss) reached.abort();
      },
    });
    signal?.throwIfAborted();
    return last!;
  }
}
