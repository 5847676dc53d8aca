/**
 * FTP (Tian, He, Dai, Ma, Liu & Kira, "Fast Trainable Projection for Robust Fine-Tuning", NeurIPS 2023): every tensor has its own MARS
 * radius γ, learned during training from the training gradient, without a pass of its own.
 *
 *   W_t = W⁰ + min(1, γ_t/‖c_t‖₁)·c_t, row by row, with c_t = W̃_t − W⁰ and W̃_t what the optimiser made of W_{t−1}
 *   dL/dγ = Σ_rows ⟨g_t, c_{t−1}⟩/‖c_{t−1}‖₁        since g_t is the gradient at W_{t−1} = W⁰ + γ_{t−1}·c_{t−1}/‖c_{t−1}‖₁
 *   γ_t = clip(Adam(γ_{t−1}, dL/dγ), 10⁻⁸, max_rows ‖c_t‖₁),   γ₁ = 10⁻⁸;   a positive dL/dγ, which would shrink γ, counts k-fold
 *
 * As in the published code, rows inside their radius count in the sum as if they were on it. A vector (bias, γ, β of BatchNorm) is
 * one row. The classifier is free: it has no pre-trained weights to stay near.
 */
import { learnRadii } from '../kernels/learnedRadii.ts';
import type { Module } from '../nn/module.ts';
import type { LinkState, UpdateLink } from '../optim/optimizer.ts';
import { copyInto } from '../tensor/arena.ts';
import { zeros } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { keep, scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { restore, TensorRows, type TensorRowsOptions } from './tensorRows.ts';

export interface FTPOptions extends TensorRowsOptions {
  /** k: how much of a positive gradient shrinks a radius, 0 … 1. Default: 1. */
  readonly k?: number;
  /** μ: learning rate of the radii. Default: 0.01. */
  readonly rate?: number;
}

const BETA1 = 0.9;
const BETA2 = 0.999;
/** The first radius, the least one, and what keeps divisions finite. */
export const LEAST_RADIUS = 1e-8;

/** What step t of the radii's Adam needs beside its gradient. */
export const adamOf = (step: number, rate: number) => ({
  rate,
  beta1: BETA1,
  beta2: BETA2,
  share1: 1 - BETA1,
  share2: 1 - BETA2,
  correction1: 1 - BETA1 ** step,
  correction2: 1 - BETA2 ** step,
  least: LEAST_RADIUS,
});

/** What one arena remembers. */
interface Learned {
  readonly rows: TensorRows;
  /** W̃ of the step before. */
  readonly unprojected: Tensor;
  /** (rows) ‖c‖₁ of the step before. */
  readonly previous: Tensor;
  /** (tensors, 3): γ and its Adam's moments. */
  readonly state: Tensor;
}

/** A link behind the optimiser: `chain(new SGD(…), ftp(model))`. */
export const ftp = (model: Module, options: FTPOptions = {}): FTP => new FTP(model, options);

export class FTP implements UpdateLink {
  private readonly k: number;
  private readonly rate: number;
  private readonly learned: readonly Learned[];
  private step = 0;

  /** See `ftp`. */
  constructor(model: Module, { k = 1, rate = 0.01, ...options }: FTPOptions) {
    if (!(k >= 0 && k <= 1)) throw new RangeError(`ftp: k is ${k}; it must be between 0 and 1`);
    if (!(rate > 0)) throw new RangeError(`ftp: rate is ${rate}; it must be > 0`);
    this.k = k;
    this.rate = rate;
    this.learned = TensorRows.of('ftp', model, options).map((rows) => {
      const { device } = rows.arena;
      return {
        rows,
        unprojected: rows.arena.like(),
        previous: keep(zeros([rows.rowCount], { device })),
        state: keep(zeros([rows.tensorCount, 3], { device })),
      };
    });
  }

  apply(): void {
    this.step++;
    const params = { ...adamOf(this.step, this.rate), isFirstStep: this.step === 1 ? 1 : 0, anneal: this.k };
    for (const { rows, unprojected, previous, state } of this.learned) {
      scope(() => {
        const { rowCount, tensorCount, tensors, arena } = rows;
        const dots = rows.dots(unprojected);
        const { l1: norms } = rows.distances(arena.values);
        const radii = rows.perRow();
        const buffers = { dots, norms, tensors, previous, state, radii };
        launch(learnRadii, { mode: 'ftp' }, { ...params, rowCount, tensorCount }, buffers);
        copyInto(arena.values, unprojected);
        rows.project(norms, radii);
      });
    }
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

  async stateDict(): Promise<LinkState> {
    const entries = await Promise.all(
      this.learned.flatMap(({ unprojected, previous, state }, i) =>
        Object.entries({ unprojected, previous, state }).map(
          async ([name, held]) => [`${name}.${i}`, await held.data()] as const,
        ),
      ),
    );
    return new Map([...entries, ['step', Int32Array.of(this.step)]]);
  }

  loadStateDict(saved: LinkState): void {
    for (const [i, { unprojected, previous, state }] of this.learned.entries()) {
      for (const [name, held] of Object.entries({ unprojected, previous, state }))
        restore('ftp', held, saved.get(`${name}.${i}`));
    }
    this.step = saved.get('step')?.[0] ?? 0;
  }
}
