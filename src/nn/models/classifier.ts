/** What all classification networks share: features, and a linear head that fine-tuning replaces. */
import { membership } from '../../tensor/arena.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Initializer, LayerOptions } from '../init.ts';
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

export abstract class Classifier extends Module {
  /** The head's property, and so its prefix in parameter names. */
  abstract readonly headName: string;
  /** features → logits. */
  abstract head: Linear;
  protected abstract readonly headInitializer: Initializer;

  /** Images (N, C, H, W) → what the head sees, (N, features). */
  abstract features(x: Tensor): Tensor;

  /** Images (N, C, H, W) → logits (N, classes). */
  forward(x: Tensor): Tensor {
    return this.head.forward(this.features(x));
  }

  /**
   * Puts a freshly drawn, trainable head for another number of classes in place of this one; all else stays. Throws once an
   * optimiser or a regulariser holds the present head: it would go on with that one, in silence.
   */
  resetHead(classes: number, { random }: Pick<LayerOptions, 'random'> = {}): void {
    if (membership(this.head.weight)) {
      throw new Error(
        'resetHead: an optimiser or regulariser has this head already; replace the head first, then make them',
      );
    }
    const options = { device: this.device, random, initializer: this.headInitializer };
    this.head = new Linear(this.head.inFeatures, classes, options).train(this.training);
  }
}
