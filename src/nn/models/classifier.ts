/** What all classification networks share: features, and a linear head that fine-tuning replaces. */

import { adaptiveAvgPool2d } from '../../ops/pool.ts';
import { flatten } from '../../ops/shape.ts';
import { membership } from '../../tensor/arena.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { type Initializer, type LayerOptions, xavierUniform } from '../init.ts';
import { Linear } from '../layers.ts';
import { Module } from '../module.ts';

export interface NetworkOptions extends LayerOptions {
  /** Length of the logits. */
  readonly classes?: number;
  /** Default: 3. */
  readonly inChannels?: number;
  /** ε of every BatchNorm. Default: 1e-5. */
  readonly epsilon?: number;
}

/** `pooled`: the mean of every feature map; `flattened`: the maps themselves, row by row (channels × height × width inputs). */
export const HEAD_KINDS = ['pooled', 'flattened'] as const;
export type HeadKind = (typeof HEAD_KINDS)[number];

export interface HeadOptions extends Pick<LayerOptions, 'random'> {
  /** Default: pooled. */
  readonly kind?: HeadKind;
  /** Side of the images: a flattened head fits one size alone. */
  readonly imageSize?: number;
}

export abstract class Classifier extends Module {
  /** The head's property, and so its prefix in parameter names. */
  abstract readonly headName: string;
  /** features → logits. */
  abstract head: Linear;
  protected abstract readonly headInitializer: Initializer;
  /** Of the last feature maps. */
  protected abstract readonly mapChannels: number;
  /** How often the image is halved (rounding up) on the way to the last feature maps. */
  protected abstract readonly halvings: number;
  #headKind: HeadKind = 'pooled';

  /** Images (N, C, H, W) → the last feature maps (N, channels, h, w). */
  abstract maps(x: Tensor): Tensor;

  /** Dotted names of the network's stages, whose outputs are feature maps; the last one's are `maps`' or close to them. */
  abstract readonly stages: readonly string[];

  get headKind(): HeadKind {
    return this.#headKind;
  }

  /** Images (N, C, H, W) → what the head sees, (N, features). */
  features(x: Tensor): Tensor {
    const maps = this.maps(x);
    return flatten(this.#headKind === 'pooled' ? adaptiveAvgPool2d(maps, 1) : maps, 1);
  }

  /** Images (N, C, H, W) → logits (N, classes). */
  forward(x: Tensor): Tensor {
    return this.head.forward(this.features(x));
  }

  /**
   * Puts a freshly drawn, trainable head for another number of classes in place of this one; all else stays. A flattened head is
   * drawn from Glorot & Bengio's uniform distribution with biases of zero, as Keras does. Throws once an optimiser or a regulariser
   * holds the present head: it would go on with that one, in silence.
   */
  resetHead(classes: number, { random, kind = 'pooled', imageSize }: HeadOptions = {}): void {
    if (membership(this.head.weight)) {
      throw new Error(
        'resetHead: an optimiser or regulariser has this head already; replace the head first, then make them',
      );
    }
    const options = { device: this.device, random };
    const head =
      kind === 'pooled'
        ? new Linear(this.mapChannels, classes, { ...options, initializer: this.headInitializer })
        : new Linear(this.mapChannels * this.mapSide(imageSize) ** 2, classes, {
            ...options,
            initializer: xavierUniform(),
            biasInitializer: zeroInitializer,
          });
    this.head = head.train(this.training);
    this.#headKind = kind;
  }

  private mapSide(imageSize: number | undefined): number {
    if (imageSize === undefined) throw new RangeError('resetHead: a flattened head needs { imageSize }');
    let side = imageSize;
    for (let i = 0; i < this.halvings; i++) side = Math.ceil(side / 2);
    return side;
  }
}

const zeroInitializer: Initializer = (shape) => new Float32Array(sizeOf(shape));
