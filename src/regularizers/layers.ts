/** Which layers of a model have a distance: those that are a matrix (Linear, Conv2d) or a diagonal one (BatchNorm2d). */
import { BatchNorm2d, Conv2d, Linear } from '../nn/layers.ts';
import type { Module } from '../nn/module.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface ConstrainableLayer {
  /** The dotted name in the model. */
  readonly name: string;
  readonly kind: 'conv2d' | 'linear' | 'batchNorm2d';
  /** (rows, …): each row contiguous. BatchNorm's γ: one row per channel. */
  readonly weight: Tensor;
  /** BatchNorm's σ²; null for the others. */
  readonly runningVariance: Tensor | null;
  /** A convolution with one input channel and one output channel per group. */
  readonly isDepthwise: boolean;
  /** The classifier. */
  readonly isHead: boolean;
}

/**
 * The layers in the model's order. `headName` is the dotted name of the classifier, by default the model's own property
 * `headName`, and null where it has no classifier. Throws where none of them is given, or no Linear or Conv2d has that name.
 */
export function constrainableLayers(
  model: Module,
  headName: string | null | undefined = ownHeadName(model),
): ConstrainableLayer[] {
  const layers: ConstrainableLayer[] = [];
  for (const [name, module] of model.namedModules()) {
    const isHead = name === headName;
    if (module instanceof Conv2d || module instanceof Linear) {
      const { weight } = module;
      const isDepthwise = module instanceof Conv2d && module.groups > 1 && module.groups === weight.shape[0];
      const kind = module instanceof Conv2d ? 'conv2d' : 'linear';
      layers.push({ name, kind, weight, runningVariance: null, isDepthwise, isHead });
    } else if (module instanceof BatchNorm2d) {
      const { weight, runningVariance } = module;
      layers.push({ name, kind: 'batchNorm2d', weight, runningVariance, isDepthwise: false, isHead: false });
    }
  }
  if (headName !== null && !layers.some(({ isHead }) => isHead)) {
    const candidates = layers.filter(({ kind }) => kind !== 'batchNorm2d').map(({ name }) => name);
    throw new Error(
      `which layer is the classifier? Give headName, one of: ${candidates.join(', ')} (got ${headName ?? 'none'})`,
    );
  }
  return layers;
}

const ownHeadName = (model: Module): string | undefined => {
  const name: unknown = Reflect.get(model, 'headName');
  return typeof name === 'string' ? name : undefined;
};
