/**
 * Batch spectral shrinkage (Chen, Wang, Fu, Long & Wang, "Catastrophic forgetting meets negative transfer: Batch spectral shrinkage for safe
 * transfer learning", NeurIPS 2019, equation 5): directions in which the features of a batch hardly vary are pressed out, so that what
 * does not transfer is not clung to. Made to be added to another method (L2-SP, DELTA, a ball).
 *
 *   η·Σ of the k smallest σ²  of the features F (batch, features) that the classifier sees
 *
 * σ² are eigenvalues of F·Fᵀ, or of Fᵀ·F where that is smaller; with the unit eigenvectors U_k (k, batch) of the smallest, the sum is
 * ‖U_k·F‖², which no rounding makes negative, and d/dF = 2·U_kᵀ·U_k·F: to first order the vectors stay where they are.
 */
import { noGrad, onceDifferentiable, record } from '../autograd/tape.ts';
import { headOf } from '../nn/freezing.ts';
import { hookOutputs, type Unhook } from '../nn/hooks.ts';
import type { Module } from '../nn/module.ts';
import { eigh } from '../ops/eigen.ts';
import { matmul } from '../ops/matmul.ts';
import { zeros } from '../tensor/create.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Penalty } from './penalty.ts';

export interface BSSOptions {
  /** η; 0.001 in the paper. 0: off. */
  readonly strength: number;
  /** k: how many of the smallest singular values. Default: 1, as in the paper. */
  readonly count?: number;
  /** Name of the classifier's module. Default: the model's own `headName`. */
  readonly headName?: string;
}

/**
 * The penalty watches what the classifier of `model` is given, until it is released. A batch, or else the features, must not be more than
 * 512 (see `eigh`).
 */
export function bss(model: Module, options: BSSOptions): BSSPenalty {
  return new BSSPenalty(model, options);
}

export class BSSPenalty implements Penalty {
  private readonly model: Module;
  private readonly strength: number;
  private readonly count: number;
  /** Takes the hook off the model. */
  readonly release: Unhook;
  private features: Tensor | undefined;

  /** See `bss`. */
  constructor(model: Module, { strength, count = 1, headName }: BSSOptions) {
    if (!(strength >= 0 && strength < Number.POSITIVE_INFINITY))
      throw new RangeError(`bss: the strength is ${strength}; it must be a finite number ≥ 0`);
    this.model = model;
    this.strength = strength;
    this.count = count;
    const head = headOf(model, headName);
    const [name] = [...model.namedModules()].find(([, module]) => module === head)!;
    this.release = hookOutputs(model, [name], (logits, _, features) => {
      this.features = features;
      return logits;
    });
  }

  /** Of the features of the latest forward pass, which must have been in this scope. */
  loss(): Tensor {
    if (this.strength === 0) return zeros([], { device: this.model.device });
    if (!this.features) throw new Error('bss: the classifier has seen no features: run the model first');
    return spectralShrinkage(this.features, this.count).mul(this.strength);
  }
}

/** Σ of the `count` smallest squared singular values of `features` (N, D), a scalar. Once differentiable. */
export function spectralShrinkage(features: Tensor, count = 1): Tensor {
  const [rows = 0, columns = 0] = features.shape;
  const size = Math.min(rows, columns);
  if (features.rank !== 2) throw new RangeError(`bss: features ${shapeText(features.shape)}: they must be (N, D)`);
  if (!(Number.isInteger(count) && count >= 1 && count <= size)) {
    throw new RangeError(
      `bss: a count of ${count}; features ${shapeText(features.shape)} have ${size} singular values, of which it chooses 1 … ${size}`,
    );
  }
  const isWide = rows <= columns;
  const { smallest, shares } = noGrad(() => {
    const gram = matmul(features, features, isWide ? { transposeB: true } : { transposeA: true });
    const smallest = eigh(gram).vectors.slice([{ end: count }]);
    const shares = isWide ? matmul(smallest, features) : matmul(features, smallest, { transposeB: true });
    return { smallest, shares };
  });
  const value = noGrad(() => shares.square().sum());
  return record('spectralShrinkage', [features], value, [smallest, shares], (dy) => {
    const half = isWide ? matmul(smallest, shares, { transposeA: true }) : matmul(shares, smallest);
    return [onceDifferentiable('spectralShrinkage', [features, dy], half.mul(dy.mul(2)))];
  });
}
