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
  /** The classifier. */
  readonly isHead: boolean;
}

/**
 * The layers in the model's order. `headName` is the dotted name of the classifier, by default the model's own property
 * `headName`; throws where the model has neither, or no Linear or Conv2d of that name.
 */
export function constrainableLayers(
  model: Module,
  headName: string | undefined = ownHeadName(model),
): ConstrainableLayer[] {
  const layers: ConstrainableLayer[] = [];
  for (const [name, module] of model.namedModules()) {
    const isHead = name === headName;
    if (module instanceof Conv2d)
      layers.push({ name, kind: 'conv2d', weight: module.weight, runningVariance: null, isHead });
    else if (module instanceof Linear)
      layers.push({ name, kind: 'linear', weight: module.weight, runningVariance: null, isHead });
    else if (module instanceof BatchNorm2d) {
      layers.push({
        name,
        kind: 'batchNorm2d',
        weight: module.weight,
        runningVariance: module.runningVariance,
        isHead: false,
      });
    }
  }
  if (!layers.some(({ isHead }) => isHead)) {
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
