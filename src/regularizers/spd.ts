/**
 * SPD (Tian, Huang & Kira, "Rethinking Weight Decay for Robust Fine-Tuning of Foundation Models", NeurIPS 2024), selective projection
 * decay: after a step from W to W̃, a tensor is pulled back towards W⁰ only where the step goes against the way it came,
 *
 *   if −⟨g, W − W⁰⟩ < 0:   W̃ ← W̃ − λ·r·(W̃ − W⁰),   r = clip((‖W̃ − W⁰‖ − ‖W − W⁰‖)/‖W̃ − W⁰‖, 0, 1)
 *
 * with Euclidean norms per tensor. λ = 1 projects onto the sphere of the step before; λ = 0 is the plain optimiser. The classifier is free.
 */
import { selectiveDecay } from '../kernels/learnedRadii.ts';
import type { Module } from '../nn/module.ts';
import type { UpdateLink } from '../optim/optimizer.ts';
import { copyInto } from '../tensor/arena.ts';
import { ones } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { TensorRows, type TensorRowsOptions } from './tensorRows.ts';

export interface SPDOptions extends TensorRowsOptions {
  /** λ, 0 … 1. */
  readonly strength: number;
}

/** A link behind the optimiser: `chain(new AdamW(…), spd(model, { strength: 1 }))`. */
export const spd = (model: Module, options: SPDOptions): SPD => new SPD(model, options);

export class SPD implements UpdateLink {
  private readonly strength: number;
  /** With the weights as they were before the step. */
  private readonly tables: readonly { readonly rows: TensorRows; readonly before: Tensor }[];

  /** See `spd`. */
  constructor(model: Module, { strength, ...options }: SPDOptions) {
    if (!(strength >= 0 && strength <= 1))
      throw new RangeError(`spd: the strength is ${strength}; it must be between 0 and 1`);
    this.strength = strength;
    this.tables = TensorRows.of('spd', model, options).map((rows) => ({ rows, before: rows.arena.like() }));
  }

  prepare(): void {
    for (const { rows, before } of this.tables) copyInto(rows.arena.values, before);
  }

  apply(): void {
    const { strength } = this;
    for (const { rows, before: weights } of this.tables) {
      scope(() => {
        const { rowCount, tensorCount, tensors, arena } = rows;
        const dots = rows.dots(weights);
        const { squared: before } = rows.distances(weights);
        const { squared: after } = rows.distances(arena.values);
        const kept = rows.perRow();
        launch(selectiveDecay, {}, { rowCount, tensorCount, strength }, { dots, before, after, tensors, kept });
        // A radius of `kept` for a norm of 1.
        rows.project(ones([rowCount], { device: arena.device }), kept);
      });
    }
  }
}
