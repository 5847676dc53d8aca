/**
 * TPGM (Tian, Dai, Ma, He, Liu & Kira, "Trainable Projected Gradient Method for Robust Fine-Tuning", CVPR 2023): every tensor has its own
 * MARS radius γ, learned from the loss on *validation* images at the projected weights:
 *
 *   W(γ) = W⁰ + min(1, γ/‖c‖₁)·c, row by row, c = W̃ − W⁰      γ ← clip(Adam(γ, dL_val(W(γ))/dγ), 10⁻⁸, max_rows ‖c‖₁)
 *
 * By the chain rule dL/dγ = Σ over rows with ‖c‖₁ > γ of ⟨g, c⟩/‖c‖₁, with g = dL_val/dW at W(γ): an ordinary backward pass and a dot
 * product per row; nothing has to be differentiated through the projection. γ begins at half of the least row norm. A vector is one
 * row; the classifier is free.
 */

import { fill } from '../kernels/copy.ts';
import { learnRadii } from '../kernels/learnedRadii.ts';
import type { Module } from '../nn/module.ts';
import { copyInto } from '../tensor/arena.ts';
import { zeros } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { keep, scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { adamOf } from './ftp.ts';
import { TensorRows, type TensorRowsOptions } from './tensorRows.ts';

export interface TPGMOptions extends TensorRowsOptions {
  /** Learning rate of the radii. Default: 0.01. */
  readonly rate?: number;
}

interface Learned {
  readonly rows: TensorRows;
  /** W̃, while the model holds W(γ). */
  readonly unprojected: Tensor;
  readonly state: Tensor;
  /** (rows) γ of each row's tensor. */
  readonly radii: Tensor;
}

/**
 * The radii of a model, learned by calls of `update` after optimiser steps (each, some, or once at the end of training):
 *
 *   optimizer.step();
 *   radii.update(() => crossEntropy(model.forward(validationImages), validationLabels));
 */
export const tpgm = (model: Module, options: TPGMOptions = {}): TPGM => new TPGM(model, options);

export class TPGM {
  private readonly rate: number;
  private readonly learned: readonly Learned[];
  private steps = 0;

  /** See `tpgm`. */
  constructor(model: Module, { rate = 0.01, ...options }: TPGMOptions) {
    if (!(rate > 0)) throw new RangeError(`tpgm: rate is ${rate}; it must be > 0`);
    this.rate = rate;
    this.learned = TensorRows.of('tpgm', model, options).map((rows) => ({
      rows,
      unprojected: rows.arena.like(),
      state: keep(zeros([rows.tensorCount, 3], { device: rows.arena.device })),
      radii: keep(zeros([rows.rowCount], { device: rows.arena.device })),
    }));
  }

  /**
   * `iterations` steps of the radii on the validation loss, then the projection of the weights. `validationLoss` gives a scalar at the
   * weights that the model then holds; it is called once an iteration. The gradients of the parameters are zero afterwards. Enqueues only.
   */
  update(validationLoss: () => Tensor, iterations = 1): void {
    for (const { rows, unprojected } of this.learned) copyInto(rows.arena.values, unprojected);
    if (this.steps === 0) this.learn('start');
    for (let i = 0; i < iterations; i++) {
      this.projectFrom();
      this.clearGradients();
      scope(() => validationLoss().backward());
      this.steps++;
      this.learn('tpgm');
    }
    this.projectFrom();
    this.clearGradients();
  }

  private learn(mode: 'start' | 'tpgm'): void {
    const params = { ...adamOf(Math.max(1, this.steps), this.rate), isFirstStep: 0, anneal: 1 };
    for (const { rows, unprojected, state, radii } of this.learned) {
      scope(() => {
        const { rowCount, tensorCount, tensors, arena } = rows;
        const { l1: norms } = rows.distances(unprojected);
        const dots = mode === 'start' ? zeros([rowCount], { device: arena.device }) : rows.dots(unprojected);
        const previous = zeros([rowCount], { device: arena.device });
        const buffers = { dots, norms, tensors, previous, state, radii };
        launch(learnRadii, { mode }, { ...params, rowCount, tensorCount }, buffers);
      });
    }
  }

  /** The model's weights ← W(γ). */
  private projectFrom(): void {
    for (const { rows, unprojected, radii } of this.learned) {
      scope(() => {
        copyInto(unprojected, rows.arena.values);
        const { l1: norms } = rows.distances(unprojected);
        rows.project(norms, radii);
      });
    }
  }

  private clearGradients(): void {
    for (const {
      rows: { arena },
    } of this.learned)
      launch(fill, {}, { count: arena.length, value: 0 }, { out: arena.gradients() });
  }

  /** γ of every tensor, by the parameter's name. */
  async radii(): Promise<Map<string, number>> {
    const all = await Promise.all(
      this.learned.map(async ({ rows, state }) => {
        const values = await state.data();
        return rows.names.map((name, i): [string, number] => [name, values[3 * i]!]);
      }),
    );
    return new Map(all.flat());
  }
}
