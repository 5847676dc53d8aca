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

/** Something done to the parameters after every update. Enqueues only. */
export interface UpdateLink {
  apply(): void;
}

/** An optimiser whose every step is followed by the links, in order. */
export function chain(optimizer: Optimizer, ...links: UpdateLink[]): Optimizer {
  return {
    get learningRate() {
      return optimizer.learningRate;
    },
    set learningRate(value: number) {
      optimizer.learningRate = value;
    },
    step() {
      optimizer.step();
      for (const link of links) link.apply();
    },
    zeroGrad: () => optimizer.zeroGrad(),
    stateDict: () => optimizer.stateDict(),
    loadStateDict: (state) => optimizer.loadStateDict(state),
  };
}

/** Whatever can bring the parameters back into a set. */
export interface Projection {
  project(): void;
}

/** A link that projects after every update: projected (sub)gradient descent. */
export const project = (projection: Projection): UpdateLink => ({ apply: () => projection.project() });
