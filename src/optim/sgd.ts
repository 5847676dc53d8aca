/** Stochastic gradient descent with momentum, as torch.optim.SGD; the update rule is in `src/kernels/optimizer.ts`. */
import { sgdUpdate } from '../kernels/optimizer.ts';
import { launch } from '../tensor/launch.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { ArenaOptimizer, needNumber, type ParameterGroup, type SlotBuffers } from './arenaOptimizer.ts';

export interface SGDOptions {
  readonly learningRate: number;
  readonly momentum?: number;
  readonly dampening?: number;
  /** Coefficient λ of λ/2·‖w‖² (added to the gradient as λ·w). */
  readonly weightDecay?: number;
  /** Nesterov's form; needs momentum > 0 and no dampening. */
  readonly nesterov?: boolean;
}

export class SGD extends ArenaOptimizer {
  private readonly options: { readonly momentum: number; readonly dampening: number; readonly nesterov: boolean };

  constructor(parameters: readonly Tensor[] | readonly ParameterGroup[], options: SGDOptions) {
    const { learningRate, momentum = 0, dampening = 0, weightDecay = 0, nesterov = false } = options;
    for (const [name, value] of Object.entries({ momentum, dampening })) needNumber('SGD', name, value);
    if (nesterov && (momentum <= 0 || dampening !== 0))
      throw new RangeError('SGD: nesterov needs momentum > 0 and no dampening');
    super('SGD', parameters, { learningRate, weightDecay }, ['velocity']);
    this.options = { momentum, dampening, nesterov };
  }

  protected update(count: number, buffers: SlotBuffers, moments: Readonly<Record<string, Tensor>>): void {
    const { momentum, dampening, nesterov } = this.options;
    const isFirstStep = this.stepCount === 1 ? 1 : 0;
    const params = { count, learningRate: this.learningRate, momentum, dampening, isFirstStep };
    launch(sgdUpdate, { nesterov }, params, { ...buffers, velocity: moments.velocity! });
  }
}
