/**
 * Adam (Kingma & Ba, ICLR 2015), AMSGrad (Reddi, Kale & Kumar, ICLR 2018) and AdamW (Loshchilov & Hutter, ICLR 2019). The
 * update rule is in `src/kernels/optimizer.ts`; step t, with corrections c₁ = 1 − β₁ᵗ and c₂ = 1 − β₂ᵗ, gives it two numbers:
 *
 *   learning rate   lr·√c₂/c₁
 *   ε               ε·√c₂ in PyTorch's form, where it is added to √(v/c₂);   ε in Keras's, where it is added to √v
 *
 * So in PyTorch's form ε is not yet diminished in the first steps. AMSGrad's maximum is over the uncorrected v in both
 * (torch.optim.Adam, keras.optimizers.Adam).
 */
import { adamUpdate } from '../kernels/optimizer.ts';
import { empty } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { ArenaOptimizer, needNumber, type ParameterGroup, type SlotBuffers } from './arenaOptimizer.ts';

export type AdamSemantics = 'pytorch' | 'keras';

export interface AdamOptions {
  readonly learningRate: number;
  /** Decay of the mean of the gradient and of its square. Default: 0.9, 0.999. */
  readonly betas?: readonly [number, number];
  /** Default: 10⁻⁸ in PyTorch's form, 10⁻⁷ in Keras's. */
  readonly epsilon?: number;
  /** Coefficient λ of λ/2·‖w‖² (added to the gradient as λ·w). Default 0. */
  readonly weightDecay?: number;
  readonly amsgrad?: boolean;
  /** Where ε is added; see the head of this file. Default: pytorch. */
  readonly semantics?: AdamSemantics;
}

const DEFAULT_EPSILON: Readonly<Record<AdamSemantics, number>> = { pytorch: 1e-8, keras: 1e-7 };

export class Adam extends ArenaOptimizer {
  private readonly options: {
    readonly betas: readonly [number, number];
    readonly epsilon: number;
    readonly amsgrad: boolean;
    readonly semantics: AdamSemantics;
    /** AdamW: w ← w − lr·λ·w beside the step. */
    readonly decoupled: boolean;
  };

  /** `kind` is for AdamW, which shares all but the place of the weight decay. */
  constructor(
    parameters: readonly Tensor[] | readonly ParameterGroup[],
    options: AdamOptions,
    { name, decoupled } = { name: 'Adam', decoupled: false },
  ) {
    const { learningRate, betas = [0.9, 0.999], weightDecay = 0, amsgrad = false, semantics = 'pytorch' } = options;
    const { epsilon = DEFAULT_EPSILON[semantics] } = options;
    for (const [i, beta] of betas.entries()) needNumber(name, `betas[${i}]`, beta, 1);
    needNumber(name, 'epsilon', epsilon);
    super(name, parameters, { learningRate, weightDecay }, ['mean', 'square', ...(amsgrad ? ['largest'] : [])]);
    this.options = { betas, epsilon, amsgrad, semantics, decoupled };
  }

  protected update(count: number, buffers: SlotBuffers, moments: Readonly<Record<string, Tensor>>): void {
    const { betas, epsilon, amsgrad, semantics, decoupled } = this.options;
    const [beta1, beta2] = betas;
    const rootOfCorrection2 = Math.sqrt(1 - beta2 ** this.stepCount);
    const params = {
      count,
      learningRate: this.learningRate,
      stepSize: (this.learningRate * rootOfCorrection2) / (1 - beta1 ** this.stepCount),
      beta1,
      beta2,
      share1: 1 - beta1,
      share2: 1 - beta2,
      epsilon: semantics === 'pytorch' ? epsilon * rootOfCorrection2 : epsilon,
    };
    scope(() => {
      // Without AMSGrad the kernel does not look at it.
      const largest = moments.largest ?? empty([1], 'f32', buffers.weights.device);
      const { mean, square } = moments as { mean: Tensor; square: Tensor };
      launch(adamUpdate, { amsgrad, decoupled }, params, { ...buffers, mean, square, largest });
    });
  }
}

/** `weightDecay` is decoupled from the gradient: w ← w − learningRate·λ·w in every step. Default 0.01, as torch.optim.AdamW. */
export class AdamW extends Adam {
  constructor(
    parameters: readonly Tensor[] | readonly ParameterGroup[],
    { weightDecay = 0.01, ...options }: Omit<AdamOptions, 'semantics'>,
  ) {
    super(parameters, { ...options, weightDecay }, { name: 'AdamW', decoupled: true });
  }
}
