/** One training step: everything it makes but three numbers is freed when it ends, and nothing in it waits for the device. */
import { noGrad } from '../autograd/tape.ts';
import type { Batch } from '../data/loader.ts';
import type { Module } from '../nn/index.ts';
import { argmax, concat, crossEntropy, equal, sum, toFloat } from '../ops/index.ts';
import type { Optimizer } from '../optim/index.ts';
import { full, tensor } from '../tensor/create.ts';
import { scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Where the weights must stay, as far as a training loop has to know: `MarsBall` is one. */
export interface Constraint {
  /** The largest distance/radius over all that is constrained, a scalar on the device; null where nothing is. */
  worstRatio(): Tensor | null;
}

export interface StepParts {
  readonly model: Module;
  readonly optimizer: Optimizer;
  /** ε of the smoothed targets, 0 … 1. */
  readonly labelSmoothing: number;
  readonly constraint: Constraint | null;
}

/** What a step leaves behind, read back when the device has come so far. */
export interface StepMetrics {
  /** Mean over the batch, in nats. */
  readonly loss: number;
  /** Images whose largest logit is their label's. */
  readonly correct: number;
  /** Largest distance/radius after the update; null without a constraint. */
  readonly worstRatio: number | null;
}

/** A ratio that no distance has. */
const NOTHING_CONSTRAINED = -1;

/**
 * Forward, backward, update (and what is chained to the optimiser), enqueued in one synchronous scope.
 *
 * @returns (3): loss, images that were right, largest distance/radius after the update. The caller disposes it.
 */
export function trainStep(parts: StepParts, batch: Batch, learningRate: number): Tensor {
  const { model, optimizer, labelSmoothing, constraint } = parts;
  const { device } = model;
  return scope(() => {
    const images = tensor(batch.images, { shape: batch.shape, device });
    const labels = tensor(batch.labels, { device });
    optimizer.zeroGrad();
    const logits = model.forward(images);
    const loss = crossEntropy(logits, labels, { labelSmoothing });
    loss.backward();
    optimizer.learningRate = learningRate;
    optimizer.step();
    return noGrad(() => {
      const correct = sum(equal(toFloat(argmax(logits, 1)), toFloat(labels)));
      const ratio = constraint?.worstRatio() ?? full([], NOTHING_CONSTRAINED, { device });
      return concat([loss, correct, ratio].map((value) => value.reshape([1])));
    });
  });
}

/** Reads what `trainStep` returned and frees it. */
export async function readMetrics(values: Tensor): Promise<StepMetrics> {
  const [loss, correct, worstRatio] = await values.data();
  values.dispose();
  return { loss: loss!, correct: correct!, worstRatio: worstRatio === NOTHING_CONSTRAINED ? null : worstRatio! };
}
