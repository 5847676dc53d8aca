/**
 * DELTA (Li, Xiong, Wang, Rao, Liu & Huan, "DELTA: Deep learning transfer using feature map with attention", ICLR 2019): the feature
 * maps F of chosen layers stay near those F⁰ of the frozen pre-trained network on the same images, each channel c as much as it
 * matters (ω_c):
 *
 *   original   α·Σ_layers ½·Σ_b Σ_c C·ω_c·‖F_bc − F⁰_bc‖²/(H·W) + β·½·‖head‖²    ω = softmax(z-score(loss increase)/5); summed over the
 *              batch, as in its published code
 *   authors    α·mean over b, c, h, w of ω_c·(F − F⁰)², the last map alone; ω = σ(loss increase)    (Gouk et al.'s code; their head
 *              penalty is β·‖W‖_MARS or β·‖W‖²: `marsSp` or `l2sp` with an extractor of 0)
 *
 * F⁰ is computed in evaluation mode, whatever the mode of the model in training (Gouk et al.'s runs it in training mode by accident).
 */
import { noGrad } from '../autograd/tape.ts';
import { headOf } from '../nn/freezing.ts';
import { CapturedOutputs } from '../nn/hooks.ts';
import type { Module } from '../nn/module.ts';
import { tensor } from '../tensor/create.ts';
import { keep } from '../tensor/scope.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Penalty } from './penalty.ts';

/** ω of every channel, by the names of the layers. */
export type ChannelWeights = Readonly<Record<string, ArrayLike<number>>>;

export interface DeltaOptions {
  /** α. 0: off. */
  readonly extractor: number;
  /** β, on the classifier's weights and bias (original form). 0: off. */
  readonly classifier?: number;
  /** Dotted names of the modules whose outputs (N, C, H, W) are compared: for a ResNet, its stages. */
  readonly layers: readonly string[];
  /** Attention to channels; `uniform`: all alike (1/C in the original form, 1 in the authors'). See `deltaChannelWeights`. */
  readonly weights: ChannelWeights | 'uniform';
  readonly form?: 'original' | 'authors';
  /** Name of the classifier's module, where `classifier` is given. Default: the model's own `headName`. */
  readonly headName?: string;
}

/**
 * `source`: a network of the same layers with the pre-trained weights; it is frozen and put into evaluation mode. Its head does not
 * matter. The penalty watches every forward pass of `model` until it is released.
 */
export function delta(model: Module, source: Module, options: DeltaOptions): DeltaPenalty {
  return new DeltaPenalty(model, source, options);
}

export class DeltaPenalty implements Penalty {
  private readonly source: Module;
  private readonly options: DeltaOptions;
  private readonly targets: CapturedOutputs;
  private readonly references: CapturedOutputs;
  /** What β is on. */
  private readonly head: readonly Tensor[];
  private readonly attention = new Map<string, Tensor>();

  /** See `delta`. */
  constructor(model: Module, source: Module, options: DeltaOptions) {
    const { extractor, classifier = 0, layers } = options;
    for (const [part, value] of Object.entries({ extractor, classifier })) {
      if (!(value >= 0 && value < Number.POSITIVE_INFINITY))
        throw new RangeError(`delta: the ${part} coefficient is ${value}; it must be a finite number ≥ 0`);
    }
    if (layers.length === 0) throw new RangeError('delta: no layers were given');
    this.source = source.freeze().eval();
    this.options = options;
    this.targets = new CapturedOutputs(model, layers);
    this.references = new CapturedOutputs(source, layers);
    this.head = classifier === 0 ? [] : headOf(model, options.headName).parameters();
  }

  /** Runs the source on the images; the model must have seen the same ones in this scope. */
  loss(images: Tensor): Tensor {
    const { extractor, classifier = 0, layers, form = 'original' } = this.options;
    noGrad(() => this.source.forward(images));
    const onMaps = layers.map((name) => this.distance(name, form).mul(extractor));
    const onHead = this.head.map((parameter) =>
      parameter
        .square()
        .sum()
        .mul(classifier / 2),
    );
    return [...onMaps, ...onHead].reduce((sum, term) => sum.add(term));
  }

  /** Takes the hooks off both networks. */
  release(): void {
    this.targets.release();
    this.references.release();
  }

  private distance(name: string, form: 'original' | 'authors'): Tensor {
    const [target, reference] = [this.targets.get(name), this.references.get(name)];
    if (target.rank !== 4 || shapeText(target.shape) !== shapeText(reference.shape)) {
      throw new RangeError(
        `delta: ${name} gives ${shapeText(target.shape)} in the model and ${shapeText(reference.shape)} in the source; both must be (N, C, H, W)`,
      );
    }
    const [batch, channels, height, width] = target.shape as [number, number, number, number];
    const squared = target
      .sub(reference.detach())
      .square()
      .mul(this.attentionTo(name, channels, form));
    const elements = height * width;
    const scale = form === 'original' ? (0.5 * channels) / elements : 1 / (batch * channels * elements);
    return squared.sum().mul(scale);
  }

  /** (1, C, 1, 1) */
  private attentionTo(name: string, channels: number, form: 'original' | 'authors'): Tensor {
    const known = this.attention.get(name);
    if (known) return known;
    const { weights } = this.options;
    const uniform = form === 'original' ? 1 / channels : 1;
    const values = weights === 'uniform' ? new Float64Array(channels).fill(uniform) : weights[name];
    if (values?.length !== channels) {
      const found = values ? `${values.length} weights` : 'no weights';
      throw new RangeError(`delta: there are ${found} for the ${channels} channels of ${name}`);
    }
    const made = keep(tensor(Float64Array.from(values), { shape: [1, channels, 1, 1], device: this.source.device }));
    this.attention.set(name, made);
    return made;
  }
}
