/**
 * How much each channel matters to the new task, for DELTA: a classifier is trained on the frozen network's features, and a channel's
 * share is by how much the loss rises where the channel is set to zero.
 *
 *   original   ω = softmax(z/5), z the z-score of the loss increases over the channels of the layer (Li et al. 2019)
 *   authors    ω = σ(loss increase)  (Gouk et al.'s code)
 *
 * Costs a pass over the images for every channel of every layer (a ResNet-20: 112): give it as many images as you can wait for.
 * Li et al. zero the filter of the layer's last convolution; here it is the channel of the map itself, residual included.
 */
import { noGrad } from '../autograd/tape.ts';
import { hookOutputs } from '../nn/hooks.ts';
import type { Initializer } from '../nn/init.ts';
import { Linear } from '../nn/layers.ts';
import type { Module } from '../nn/module.ts';
import { crossEntropy } from '../ops/loss.ts';
import { Adam } from '../optim/adam.ts';
import { tensor } from '../tensor/create.ts';
import { scope } from '../tensor/scope.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface DeltaWeightsOptions {
  /** As in `delta`. */
  readonly layers: readonly string[];
  readonly form?: 'original' | 'authors';
  /** Passes over the images in which the classifier is trained. Default: 30. */
  readonly epochs?: number;
  /** Channels that are done so far. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A network whose module `headName` is a Linear on its features. */
type Source = Module & { readonly headName: string };

/** What a `Batch` of the loader holds. */
export interface LabelledImages {
  /** (N, C, H, W) row-major. */
  readonly images: Float32Array;
  readonly shape: readonly number[];
  /** (N) */
  readonly labels: Int32Array;
}

/** Images, and the features of the pre-trained network that its head sees. */
interface Prepared {
  readonly batch: LabelledImages;
  /** (N, features) */
  readonly features: Tensor;
  readonly labels: Tensor;
}

const L2 = 0.01;
const TEMPERATURE = 5;

/**
 * ω by layer. `source` is a network with the pre-trained weights whose module `headName` is a Linear on its features; the head's own
 * weights do not matter. `batches` are held in memory. The source is put into evaluation mode and left as it was otherwise.
 */
export async function deltaChannelWeights(
  source: Source,
  batches: readonly LabelledImages[],
  { layers, form = 'original', epochs = 30, onProgress }: DeltaWeightsOptions,
): Promise<Record<string, Float64Array>> {
  if (batches.length === 0) throw new RangeError('deltaChannelWeights: no batches were given');
  source.eval();
  const prepared: Prepared[] = [];
  const disposables: Tensor[] = [];
  try {
    for (const batch of batches) prepared.push(prepare(source, batch, disposables));
    const head = trainHead(prepared, epochs);
    disposables.push(...head.parameters());
    const run = (mask?: { layer: string; channel: number }) => meanLoss(source, prepared, head, mask);
    const base = await run();
    const channels = channelsOf(source, batches[0]!, layers);
    const total = Object.values(channels).reduce((sum, count) => sum + count, 0);
    let done = 0;
    const weights: Record<string, Float64Array> = {};
    for (const layer of layers) {
      const increases = new Float64Array(channels[layer]!);
      for (let channel = 0; channel < increases.length; channel++) {
        increases[channel] = (await run({ layer, channel })) - base;
        onProgress?.(++done, total);
      }
      weights[layer] = form === 'original' ? attention(increases) : increases.map((x) => 1 / (1 + Math.exp(-x)));
    }
    return weights;
  } finally {
    for (const one of new Set(disposables)) one.dispose();
  }
}

/** softmax(z-score/5). Equal increases give 1/C. */
export function attention(increases: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(increases);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  const powers = values.map((value) => Math.exp((deviation > 0 ? (value - mean) / deviation : 0) / TEMPERATURE));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

const imagesOf = (source: Module, { images, shape }: LabelledImages): Tensor =>
  tensor(images, { shape, device: source.device });

/** What the module `headName` is given. */
function headInput(source: Source, images: Tensor): Tensor {
  let seen: Tensor | undefined;
  const unhook = hookOutputs(source, [source.headName], (logits, _, features) => {
    seen = features;
    return logits;
  });
  try {
    source.forward(images);
  } finally {
    unhook();
  }
  if (!seen) throw new Error(`deltaChannelWeights: the forward pass does not call ${source.headName}`);
  return seen;
}

function prepare(source: Source, batch: LabelledImages, disposables: Tensor[]): Prepared {
  const features = scope(() => noGrad(() => headInput(source, imagesOf(source, batch))));
  const labels = tensor(batch.labels, { device: source.device });
  disposables.push(features, labels);
  return { batch, features, labels };
}

const zeros: Initializer = (shape) => new Float32Array(sizeOf(shape));

/** Softmax regression with weight decay, by Adam as Keras has it: Gouk et al.'s settings. */
function trainHead(prepared: readonly Prepared[], epochs: number): Linear {
  const { features } = prepared[0]!;
  const classes = 1 + prepared.reduce((most, { batch }) => batch.labels.reduce((a, b) => Math.max(a, b), most), 0);
  const options = { device: features.device, initializer: zeros, biasInitializer: zeros };
  const head = new Linear(features.shape[1]!, classes, options);
  const optimizer = new Adam(head.parameters(), { learningRate: 1e-3, semantics: 'keras' });
  for (let epoch = 0; epoch < epochs; epoch++) {
    for (const one of prepared) {
      scope(() => {
        optimizer.zeroGrad();
        const loss = crossEntropy(head.forward(one.features), one.labels);
        loss.add(head.weight.square().sum().mul(L2)).backward();
        optimizer.step();
      });
    }
  }
  return head;
}

async function meanLoss(
  source: Source,
  prepared: readonly Prepared[],
  head: Linear,
  mask: { readonly layer: string; readonly channel: number } | undefined,
): Promise<number> {
  const losses = prepared.map(({ batch, features, labels }) => {
    const loss = scope(() =>
      noGrad(() => {
        const seen = mask ? without(source, imagesOf(source, batch), mask) : features;
        return crossEntropy(head.forward(seen), labels);
      }),
    );
    return { loss, images: batch.labels.length };
  });
  let [sum, images] = [0, 0];
  for (const { loss, images: own } of losses) {
    sum += own * (await loss.item());
    loss.dispose();
    images += own;
  }
  return sum / images;
}

/** The features where one channel of one layer's map is zero. */
function without(
  source: Source,
  images: Tensor,
  { layer, channel }: { readonly layer: string; readonly channel: number },
): Tensor {
  const unhook = hookOutputs(source, [layer], (map) => {
    const keepers = Float32Array.from({ length: map.shape[1]! }, (_, c) => (c === channel ? 0 : 1));
    return map.mul(tensor(keepers, { shape: [1, keepers.length, 1, 1], device: map.device }));
  });
  try {
    return headInput(source, images);
  } finally {
    unhook();
  }
}

function channelsOf(source: Module, batch: LabelledImages, layers: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {};
  const unhook = hookOutputs(source, layers, (map, name) => {
    found[name] = map.shape[1]!;
    return map;
  });
  try {
    scope(() => {
      noGrad(() => source.forward(imagesOf(source, batch)));
    });
  } finally {
    unhook();
  }
  return found;
}
