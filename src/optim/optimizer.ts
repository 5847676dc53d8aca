/**
 * What an optimiser is, and how it is followed by more: optax's idea of small links, PyTorch's names.
 *
 *   const optimizer = chain(new SGD(model.parameters(), { learningRate: 0.01 }), project(marsBall(model, { … })));
 *   optimizer.zeroGrad(); loss.backward(); optimizer.step();
 */
import type { NumericArray } from '../devices/device.ts';

/** All that a run needs to go on with the same bytes: plain numbers and arrays. */
export interface OptimizerState {
  readonly step: number;
  readonly arrays: ReadonlyMap<string, NumericArray>;
}

export interface Optimizer {
  /** Of the next step; set it before each step to follow a schedule. Groups scale it. */
  learningRate: number;
  /** Updates every parameter from its gradient. Enqueues only. */
  step(): void;
  /** Sets all gradients to zero. */
  zeroGrad(): void;
  stateDict(): Promise<OptimizerState>;
  loadStateDict(state: OptimizerState): void;
}

/** What a link needs for a run to go on with the same bytes, by name. */
export type LinkState = ReadonlyMap<string, NumericArray>;

/** Something done to the parameters after every update. Enqueues only. */
export interface UpdateLink {
  /** Before the update: the place to remember weights as they are. */
  prepare?(): void;
  /** After the update; the gradients are still those that it used. */
  apply(): void;
  /** Of a link that remembers something from step to step. */
  stateDict?(): Promise<LinkState>;
  loadStateDict?(state: LinkState): void;
}

/** An optimiser whose every step is followed by the links, in order. Their states are kept with the optimiser's. */
export function chain(optimizer: Optimizer, ...links: UpdateLink[]): Optimizer {
  const prefixOf = (i: number) => `link.${i}.`;
  return {
    get learningRate() {
      return optimizer.learningRate;
    },
    set learningRate(value: number) {
      optimizer.learningRate = value;
    },
    step() {
      for (const link of links) link.prepare?.();
      optimizer.step();
      for (const link of links) link.apply();
    },
    zeroGrad: () => optimizer.zeroGrad(),
    async stateDict() {
      const { step, arrays } = await optimizer.stateDict();
      const all = new Map(arrays);
      for (const [i, link] of links.entries()) {
        for (const [name, values] of (await link.stateDict?.()) ?? []) all.set(prefixOf(i) + name, values);
      }
      return { step, arrays: all };
    },
    loadStateDict(state) {
      optimizer.loadStateDict(state);
      for (const [i, link] of links.entries()) {
        const own = [...state.arrays].filter(([name]) => name.startsWith(prefixOf(i)));
        link.loadStateDict?.(new Map(own.map(([name, values]) => [name.slice(prefixOf(i).length), values])));
      }
    },
  };
}

/** Whatever can bring the parameters back into a set. */
export interface Projection {
  project(): void;
}

/** A link that projects after every update: projected (sub)gradient descent. */
export const project = (projection: Projection): UpdateLink => ({ apply: () => projection.project() });
