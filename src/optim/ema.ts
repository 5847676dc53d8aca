/**
 * The exponential moving average of a model's weights, w̄ ← d·w̄ + (1 − d)·w after every update, from the weights at the beginning
 * (Polyak & Juditsky 1992; as timm's ModelEma). Running statistics of BatchNorm are averages already and stay the model's own. A ball is
 * convex, so an average of weights in it is in it too; but a new classifier begins outside, and BatchNorm's γ/√(σ² + ε) has a variance that moves.
 *
 *   const average = ema(model, 0.999);
 *   const optimizer = chain(new SGD(…), average);
 *   average.swap(); await evaluate(model, loader); average.swap();
 */
import { averageWeights } from '../kernels/optimizer.ts';
import { Arena, copyInto } from '../tensor/arena.ts';
import { empty } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { LinkState, UpdateLink } from './optimizer.ts';

/** `parameters`: of one model. `decay`: d, 0 … 1. Put it behind the projection, if there is one. */
export const ema = (parameters: readonly Tensor[], decay: number): EMA => new EMA(parameters, decay);

export class EMA implements UpdateLink {
  private readonly decay: number;
  private readonly averages: readonly { readonly arena: Arena; readonly average: Tensor }[];

  /** See `ema`. */
  constructor(parameters: readonly Tensor[], decay: number) {
    if (!(decay >= 0 && decay < 1)) throw new RangeError(`ema: a decay of ${decay}; it must be ≥ 0 and < 1`);
    this.decay = decay;
    this.averages = Arena.of(parameters).map((arena) => ({ arena, average: arena.snapshot() }));
  }

  apply(): void {
    for (const { arena, average } of this.averages)
      launch(averageWeights, {}, { count: arena.length, share: 1 - this.decay }, { average, weights: arena.values });
  }

  /** Exchanges the model's weights and their average; a second time puts them back. */
  swap(): void {
    for (const { arena, average } of this.averages) {
      scope(() => {
        const weights = empty([arena.length], 'f32', arena.device);
        copyInto(arena.values, weights);
        copyInto(average, arena.values);
        copyInto(weights, average);
      });
    }
  }

  async stateDict(): Promise<LinkState> {
    const entries = this.averages.map(async ({ average }, i) => [`average.${i}`, await average.data()] as const);
    return new Map(await Promise.all(entries));
  }

  loadStateDict(state: LinkState): void {
    for (const [i, { average }] of this.averages.entries()) {
      const values = state.get(`average.${i}`);
      if (values?.length !== average.size)
        throw new Error(`ema: the state holds ${values?.length ?? 'no'} values where ${average.size} are needed`);
      average.device.upload(average.storage.buffer, values, average.storage.offset);
    }
  }
}
