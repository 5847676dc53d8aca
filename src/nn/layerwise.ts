/** Learning rates by depth: groups of parameters for an optimiser. */

import type { Tensor } from '../tensor/tensor.ts';
import { headOf } from './freezing.ts';
import { BatchNorm2d, Sequential } from './layers.ts';
import type { Module } from './module.ts';

/** A group for an optimiser (`ParameterGroup`), and the parts of the model that it holds. */
export interface LayerwiseGroup {
  readonly names: readonly string[];
  readonly parameters: readonly Tensor[];
  readonly learningRateScale: number;
}

export interface LayerwiseOptions {
  /** Learning rate of the classifier over that of the part before it. Default: 1. */
  readonly headScale?: number;
  /** Learning rate of a part over that of the next one (layer-wise decay: Howard & Ruder 2018; BEiT's layer_decay). Default: 1. */
  readonly decay?: number;
  readonly headName?: string;
}

/**
 * The model's parts from the input to the classifier, each with decay^(number of parts after it), the classifier with `headScale`. Parts are the
 * model's children, in order; a Sequential counts for its own children, and a BatchNorm joins what is before it.
 *
 *   new SGD(layerwiseGroups(model, { headScale: 10, decay: 0.8 }), { learningRate: 0.01 })
 */
export function layerwiseGroups(model: Module, options: LayerwiseOptions = {}): LayerwiseGroup[] {
  const { headScale = 1, decay = 1, headName } = options;
  if (!(headScale >= 0)) throw new RangeError(`layerwiseGroups: headScale is ${headScale}; it must be ≥ 0`);
  if (!(decay > 0)) throw new RangeError(`layerwiseGroups: decay is ${decay}; it must be > 0`);
  const head = new Set(headOf(model, headName).parameters());
  const parts: { names: string[]; parameters: Tensor[] }[] = [];
  for (const [name, module] of unitsOf(model, '')) {
    const parameters = module.parameters().filter((parameter) => !head.has(parameter));
    if (parameters.length === 0) continue;
    const last = parts.at(-1);
    if (last && module instanceof BatchNorm2d) {
      last.names.push(name);
      last.parameters.push(...parameters);
    } else parts.push({ names: [name], parameters });
  }
  const held = new Set([...head, ...parts.flatMap(({ parameters }) => parameters)]);
  const own = model.parameters().filter((parameter) => !held.has(parameter));
  if (own.length > 0) parts.unshift({ names: [''], parameters: own });
  const groups = parts.map((part, i) => ({ ...part, learningRateScale: decay ** (parts.length - 1 - i) }));
  return [...groups, { names: ['head'], parameters: [...head], learningRateScale: headScale }];
}

/** The model's children, those of a Sequential in its place. */
function unitsOf(module: Module, prefix: string): [string, Module][] {
  return [...module.namedChildren()].flatMap(([name, child]): [string, Module][] => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    return child instanceof Sequential ? unitsOf(child, path) : [[path, child]];
  });
}
