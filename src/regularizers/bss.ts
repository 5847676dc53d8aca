/**
 * Batch spectral shrinkage (Chen, Wang, Fu, Long & Wang, "Catastrophic Forgetting Meets Negative Transfer: Batch Spectral Shrinkage for
 * Safe Transfer Learning", NeurIPS 2019, equation 4): the smallest singular values σ of a batch's features F (B, D) are pressed down,
 *
 *   η·Σ of the k smallest σ_i²,     d/dF = 2η·Σ u_i u_iᵀ F,
 *
 * with u_i the left singular vectors. σ² and u are the eigenpairs of FFᵀ (B, B); where D < B, those of FᵀF are taken instead.
 */
import { record } from '../autograd/tape.ts';
import { symmetricEigen } from '../kernels/eigen.ts';
import { headOf } from '../nn/freezing.ts';
import { hookOutputs, type Unhook } from '../nn/hooks.ts';
import type { Module } from '../nn/module.ts';
import { matmul } from '../ops/matmul.ts';
import { empty } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Penalty } from './penalty.ts';

export interface BSSOptions {
  /** η. The paper uses 0.001. */
  readonly strength: number;
  /** k: how many singular values. Default: 1. */
  readonly count?: number;
  /** Name of the classifier's module, whose input is F. Default: the model's own `headName`. */
  readonly headName?: string;
}

const SWEEPS = 10;
/** Of features or images, whichever are fewer: a workgroup holds the rotations of no more. */
const LARGEST = 512;

/** Watches every forward pass of the model until it is released. */
export const bss = (model: Module, options: BSSOptions): BSSPenalty => new BSSPenalty(model, options);

export class BSSPenalty implements Penalty {
  /** Takes the hook off the model. */
  readonly release: Unhook;
  private readonly strength: number;
  private readonly count: number;
  private features: Tensor | null = null;

  /** See `bss`. */
  constructor(model: Module, { strength, count = 1, headName }: BSSOptions) {
    if (!(strength >= 0 && strength < Number.POSITIVE_INFINITY))
      throw new RangeError(`bss: the strength is ${strength}; it must be a finite number ≥ 0`);
    if (!Number.isInteger(count) || count < 1)
      throw new RangeError(`bss: the count is ${count}; it must be a whole number ≥ 1`);
    this.strength = strength;
    this.count = count;
    const head = headOf(model, headName);
    const [name] = [...model.namedModules()].find(([, module]) => module === head)!;
    this.release = hookOutputs(model, [name], (logits, _, features) => {
      this.features = features;
      return logits;
    });
  }

  loss(): Tensor {
    if (!this.features) throw new Error('bss: run the model first');
    return smallestSquares(this.features, this.count).mul(this.strength);
  }
}

/** Σ of the `count` smallest squared singular values of x (B, D), a scalar. Twice differentiable it is not. */
export function smallestSquares(x: Tensor, count: number): Tensor {
  if (x.rank !== 2) throw new RangeError(`bss: the features ${shapeText(x.shape)} must be (batch, features)`);
  const [batch, features] = x.shape as [number, number];
  const overRows = batch <= features;
  const n = Math.min(batch, features);
  if (n > LARGEST) throw new RangeError(`bss: features ${shapeText(x.shape)}; at most ${LARGEST} images or features`);
  const gram = overRows
    ? matmul(x.detach(), x.detach(), { transposeB: true })
    : matmul(x.detach(), x.detach(), { transposeA: true });
  const values = empty([n], 'f32', x.device);
  const vectors = empty([n, n], 'f32', x.device);
  launch(symmetricEigen, {}, { n, sweeps: SWEEPS }, { matrix: gram, values, vectors });
  // A value is among the smallest where fewer than `count` are smaller.
  const smaller = values
    .reshape([1, n])
    .less(values.reshape([n, 1]))
    .sum(1);
  const chosen = smaller.less(count);
  const y = values.mul(chosen).sum();
  return record('bss', [x], y, [], (dy) => {
    // Of the rows of V that are chosen, Σ v vᵀ: the projector onto their span.
    const rows = vectors.mul(chosen.reshape([n, 1]));
    const projector = matmul(rows, rows, { transposeA: true });
    const gradient = overRows ? matmul(projector, x) : matmul(x, projector);
    return [gradient.mul(dy.mul(2))];
  });
}
