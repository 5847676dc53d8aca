/**
 * ResNets for 32×32 images: He et al. 2016, "Deep residual learning for image recognition", section 4.2. Names are those of
 * the published PyTorch weights: conv1, bn1, layer1 … layer3, linear.
 *
 *   3×3 conv, 16 → three stages of n blocks with 16, 32, 64 channels, each but the first halving the image → mean → linear
 *   depth = 6n + 2: 20, 32, 44, 56, 110
 */
import { add, relu } from '../../ops/elementwise.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { kaimingNormal, type LayerOptions } from '../init.ts';
import { BatchNorm2d, Conv2d, Linear, Sequential } from '../layers.ts';
import { Module } from '../module.ts';
import { Classifier, type NetworkOptions } from './classifier.ts';
import { subsample } from './subsample.ts';

interface BlockOptions extends LayerOptions {
  readonly epsilon?: number;
}

const conv3x3 = (inChannels: number, outChannels: number, stride: number, options: LayerOptions): Conv2d =>
  new Conv2d(inChannels, outChannels, 3, {
    ...options,
    stride,
    padding: 1,
    bias: false,
    initializer: kaimingNormal(),
  });

/** relu(shortcut(x) + bn2(conv2(relu(bn1(conv1(x)))))). */
export class CifarBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  private readonly stride: number;
  private readonly changesShape: boolean;

  constructor(inChannels: number, channels: number, stride: number, options: BlockOptions) {
    super();
    this.conv1 = conv3x3(inChannels, channels, stride, options);
    this.bn1 = new BatchNorm2d(channels, options);
    this.conv2 = conv3x3(channels, channels, 1, options);
    this.bn2 = new BatchNorm2d(channels, options);
    this.stride = stride;
    this.changesShape = stride !== 1 || inChannels !== channels;
  }

  forward(x: Tensor): Tensor {
    const hidden = relu(this.bn1.forward(this.conv1.forward(x)));
    const residual = this.bn2.forward(this.conv2.forward(hidden));
    const shortcut = this.changesShape ? subsample(x, this.stride, residual.shape[1]!) : x;
    return relu(add(residual, shortcut));
  }
}

export class CifarResNet extends Classifier {
  readonly headName = 'linear';
  readonly stages = ['layer1', 'layer2', 'layer3'];
  protected readonly headInitializer = kaimingNormal();
  protected readonly mapChannels = 64;
  protected readonly halvings = 2;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  linear: Linear;

  /** `depth`: 6n + 2. Default: 10 classes. */
  constructor(depth: number, { classes = 10, inChannels = 3, ...options }: NetworkOptions = {}) {
    super();
    const blocks = (depth - 2) / 6;
    if (!Number.isInteger(blocks) || blocks < 1)
      throw new RangeError(`CifarResNet: a depth of ${depth}; it must be 6n + 2: 8, 14, 20, …`);
    this.conv1 = conv3x3(inChannels, 16, 1, options);
    this.bn1 = new BatchNorm2d(16, options);
    this.layer1 = stage(blocks, 16, 16, options);
    this.layer2 = stage(blocks, 16, 32, options);
    this.layer3 = stage(blocks, 32, 64, options);
    this.linear = new Linear(64, classes, { ...options, initializer: this.headInitializer });
  }

  get head(): Linear {
    return this.linear;
  }

  set head(head: Linear) {
    this.linear = head;
  }

  maps(x: Tensor): Tensor {
    const stem = relu(this.bn1.forward(this.conv1.forward(x)));
    return this.layer3.forward(this.layer2.forward(this.layer1.forward(stem)));
  }
}

/** Its first block halves the image where it widens the channels. */
function stage(blocks: number, inChannels: number, channels: number, options: BlockOptions): Sequential {
  const first = new CifarBlock(inChannels, channels, inChannels === channels ? 1 : 2, options);
  const others = Array.from({ length: blocks - 1 }, () => new CifarBlock(channels, channels, 1, options));
  return new Sequential(first, ...others);
}
