/**
 * ResNets for images of about 224×224: He et al. 2016, "Deep residual learning for image recognition", table 1. Layout and
 * names are torchvision's: conv1, bn1, layer1 … layer4, fc.
 *
 *   7×7 conv, 64, stride 2 → 3×3 max-pool, stride 2 → four stages with 64, 128, 256, 512 channels (four times that after
 *   bottleneck blocks), each but the first halving the image → mean → linear
 */
import { add, relu } from '../../ops/elementwise.ts';
import { maxPool2d } from '../../ops/pool.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { defaultWeight, kaimingNormal, type LayerOptions } from '../init.ts';
import { BatchNorm2d, Conv2d, Linear, Sequential } from '../layers.ts';
import { Module } from '../module.ts';
import { Classifier, type NetworkOptions } from './classifier.ts';

export interface ImageNetResNetOptions extends NetworkOptions {
  /**
   * Where a bottleneck block halves the image: in its first 1×1 convolution (the original layout, "v1": Caffe's and Keras's
   * weights) instead of in its 3×3 (torchvision's, "v1.5"). Default: false.
   */
  readonly strideIn1x1?: boolean;
}

type BlockOptions = LayerOptions & Pick<ImageNetResNetOptions, 'epsilon' | 'strideIn1x1'>;

const conv = (
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  stride: number,
  options: LayerOptions,
): Conv2d =>
  new Conv2d(inChannels, outChannels, kernelSize, {
    ...options,
    stride,
    padding: (kernelSize - 1) / 2,
    bias: false,
    initializer: kaimingNormal({ fan: 'fanOut', nonlinearity: 'relu' }),
  });

/** A 1×1 convolution that brings a block's input to the shape of its output, or null where they agree. */
function downsampling(inChannels: number, outChannels: number, stride: number, options: BlockOptions) {
  if (stride === 1 && inChannels === outChannels) return null;
  return new Sequential(conv(inChannels, outChannels, 1, stride, options), new BatchNorm2d(outChannels, options));
}

/** Two 3×3 convolutions: ResNet-18 and 34. */
export class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inChannels: number, width: number, stride: number, options: BlockOptions) {
    super();
    this.conv1 = conv(inChannels, width, 3, stride, options);
    this.bn1 = new BatchNorm2d(width, options);
    this.conv2 = conv(width, width, 3, 1, options);
    this.bn2 = new BatchNorm2d(width, options);
    this.downsample = downsampling(inChannels, width, stride, options);
  }

  forward(x: Tensor): Tensor {
    const hidden = relu(this.bn1.forward(this.conv1.forward(x)));
    const residual = this.bn2.forward(this.conv2.forward(hidden));
    return relu(add(residual, this.downsample?.forward(x) ?? x));
  }
}

/** 1×1, 3×3, 1×1 convolutions, the last four times as wide: ResNet-50, 101 and 152. */
export class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | null;

  constructor(inChannels: number, width: number, stride: number, options: BlockOptions) {
    super();
    const outChannels = width * Bottleneck.expansion;
    const [stride1, stride2] = options.strideIn1x1 ? [stride, 1] : [1, stride];
    this.conv1 = conv(inChannels, width, 1, stride1, options);
    this.bn1 = new BatchNorm2d(width, options);
    this.conv2 = conv(width, width, 3, stride2, options);
    this.bn2 = new BatchNorm2d(width, options);
    this.conv3 = conv(width, outChannels, 1, 1, options);
    this.bn3 = new BatchNorm2d(outChannels, options);
    this.downsample = downsampling(inChannels, outChannels, stride, options);
  }

  forward(x: Tensor): Tensor {
    const squeezed = relu(this.bn1.forward(this.conv1.forward(x)));
    const hidden = relu(this.bn2.forward(this.conv2.forward(squeezed)));
    const residual = this.bn3.forward(this.conv3.forward(hidden));
    return relu(add(residual, this.downsample?.forward(x) ?? x));
  }
}

const ARCHITECTURES = {
  18: { block: BasicBlock, blocks: [2, 2, 2, 2] },
  34: { block: BasicBlock, blocks: [3, 4, 6, 3] },
  50: { block: Bottleneck, blocks: [3, 4, 6, 3] },
  101: { block: Bottleneck, blocks: [3, 4, 23, 3] },
  152: { block: Bottleneck, blocks: [3, 8, 36, 3] },
} as const;
export type ImageNetDepth = keyof typeof ARCHITECTURES;

export class ImageNetResNet extends Classifier {
  readonly headName = 'fc';
  readonly stages = ['layer1', 'layer2', 'layer3', 'layer4'];
  protected readonly headInitializer = defaultWeight;
  protected readonly mapChannels: number;
  protected readonly halvings = 5;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  fc: Linear;

  /** Default: 1,000 classes. */
  constructor(depth: ImageNetDepth, { classes = 1000, inChannels = 3, ...options }: ImageNetResNetOptions = {}) {
    super();
    const { block: Block, blocks } = ARCHITECTURES[depth];
    if (options.strideIn1x1 && Block === BasicBlock)
      throw new RangeError(`ImageNetResNet: strideIn1x1 asks for bottleneck blocks, which a depth of ${depth} has not`);
    const stage = (index: 0 | 1 | 2 | 3): Sequential => {
      const width = 64 * 2 ** index;
      const out = width * Block.expansion;
      const entering = index === 0 ? 64 : out / 2;
      const first = new Block(entering, width, index === 0 ? 1 : 2, options);
      return new Sequential(
        first,
        ...Array.from({ length: blocks[index] - 1 }, () => new Block(out, width, 1, options)),
      );
    };
    this.conv1 = conv(inChannels, 64, 7, 2, options);
    this.bn1 = new BatchNorm2d(64, options);
    this.layer1 = stage(0);
    this.layer2 = stage(1);
    this.layer3 = stage(2);
    this.layer4 = stage(3);
    this.mapChannels = 512 * Block.expansion;
    this.fc = new Linear(this.mapChannels, classes, options);
  }

  get head(): Linear {
    return this.fc;
  }

  set head(head: Linear) {
    this.fc = head;
  }

  maps(x: Tensor): Tensor {
    const stem = relu(this.bn1.forward(this.conv1.forward(x)));
    const pooled = maxPool2d(stem, { kernelSize: 3, stride: 2, padding: 1 });
    const stages = [this.layer1, this.layer2, this.layer3, this.layer4];
    return stages.reduce((value, stage) => stage.forward(value), pooled);
  }
}
