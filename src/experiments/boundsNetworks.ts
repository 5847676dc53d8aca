/** The networks of the bounds study: plain chains of linear maps and ReLUs, as the theorems have them, of any width and depth. */
import type { Device } from '../devices/device.ts';
import { Conv2d, Flatten, kaimingNormal, Linear, MaxPool2d, Module, ReLU, Sequential } from '../nn/index.ts';
import { Random } from '../tensor/random.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';

export const STUDY_NETWORKS = ['mlp', 'convnet'] as const;
export type StudyNetworkKind = (typeof STUDY_NETWORKS)[number];

export interface StudyNetworkOptions {
  readonly kind: StudyNetworkKind;
  /** Units of every hidden layer (mlp); channels of the first convolution, the others have twice as many (convnet). */
  readonly width: number;
  readonly hiddenLayers: number;
  /** Side of the square grey images. */
  readonly imageSize: number;
  readonly classes: number;
  readonly seed: number;
  readonly device: Device;
}

/** He et al.'s initialisation, biases of zero, which the theorems have none of. */
const initial = (seed: string, random: Random, device: Device) => ({
  random: random.fork(seed),
  device,
  initializer: kaimingNormal(),
  biasInitializer: (shape: readonly number[]) => new Float32Array(sizeOf(shape)),
});

/**
 *   mlp      flatten → hiddenLayers × (Linear(width) → ReLU) → Linear(classes)
 *   convnet  hiddenLayers × (3×3 convolution → ReLU → 2×2 max-pooling, whose windows do not overlap) → flatten → Linear(classes)
 */
export class StudyNetwork extends Module {
  readonly headName = 'head';
  readonly body: Sequential;
  head: Linear;
  private readonly options: StudyNetworkOptions;

  constructor(options: StudyNetworkOptions) {
    super();
    const { kind, seed, hiddenLayers } = options;
    const random = new Random(seed).fork('weights');
    const layers = Array.from({ length: hiddenLayers }, (_, i) =>
      kind === 'mlp' ? dense(options, i, random) : convolution(options, i, random),
    ).flat();
    this.body = kind === 'mlp' ? new Sequential(new Flatten(), ...layers) : new Sequential(...layers, new Flatten());
    this.options = options;
    this.head = this.newHead(seed);
  }

  forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x));
  }

  /** A freshly drawn classifier, for another task. */
  resetHead(seed: number): void {
    this.head = this.newHead(seed);
  }

  private newHead(seed: number): Linear {
    const { kind, width, hiddenLayers, imageSize, classes, device } = this.options;
    const side = imageSize >> hiddenLayers;
    const features = kind === 'mlp' ? width : channelsOf(width, hiddenLayers - 1) * side ** 2;
    return new Linear(features, classes, initial('head', new Random(seed).fork('weights'), device));
  }
}

function dense({ width, imageSize, device }: StudyNetworkOptions, i: number, random: Random): Module[] {
  return [new Linear(i === 0 ? imageSize ** 2 : width, width, initial(`layer ${i}`, random, device)), new ReLU()];
}

const channelsOf = (width: number, i: number): number => (i === 0 ? width : 2 * width);

function convolution({ width, device }: StudyNetworkOptions, i: number, random: Random): Module[] {
  const inChannels = i === 0 ? 1 : channelsOf(width, i - 1);
  const options = { ...initial(`layer ${i}`, random, device), padding: 1 };
  return [new Conv2d(inChannels, channelsOf(width, i), 3, options), new ReLU(), new MaxPool2d(2)];
}
