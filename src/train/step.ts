/** One training step: everything it makes but four numbers is freed when it ends, and nothing in it waits for the device. */
import { noGrad } from '../autograd/tape.ts';
import type { Batch } from '../data/loader.ts';
import type { Module } from '../nn/index.ts';
import { argmax, concat, crossEntropy, equal, sum, toFloat } from '../ops/index.ts';
import type { Optimizer } from '../optim/index.ts';
import type { Penalty } from '../regularizers/index.ts';
import { full, tensor } from '../tensor/create.ts';
import { scope } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Where the weights must stay, as far as a training loop has to know: `Ball` is one. */
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
  /** Added to the loss. */
  readonly penalties: readonly Penalty[];
}

/** What a step leaves behind, read back when the device has come so far. */
export interface StepMetrics {
  /** Cross-entropy, mean over the batch, in nats; without the penalties. */
  readonly loss: number;
  /** Sum of the penalties; null without any. */
  readonly penalty: number | null;
  /** Images whose largest logit is their label's. */
  readonly correct: number;
  /** Largest distance/radius after the update; null without a constraint. */
  readonly worstRatio: number | null;
}

/** A number that neither a ratio nor a penalty can be. */
const NOTHING = -1;

/**
 * Forward, backward, update (and what is chained to the optimiser), enqueued in one synchronous scope.
 *
 * @returns (4): loss, images that were right, largest distance/radius after the update, penalty. The caller disposes it.
 */
export function trainStep(parts: StepParts, batch: Batch, learningRate: number): Tensor {
  const { model, optimizer, labelSmoothing, constraint, penalties } = parts;
  const { device } = model;
  return scope(() => {
    const images = tensor(batch.images, { shape: batch.shape, device });
    const labels = tensor(batch.labels, { device });
    optimizer.zeroGrad();
    const logits = model.forward(images);
    const loss = crossEntropy(logits, labels, { labelSmoothing });
    const [first, ...others] = penalties.map((one) => one.loss(images));
    const penalty = first && others.reduce((all, one) => all.add(one), first);
    (penalty ? loss.add(penalty) : loss).backward();
    optimizer.learningRate = learningRate;
    optimizer.step();
    return noGrad(() => {
      const correct = sum(equal(toFloat(argmax(logits, 1)), toFloat(labels)));
      const nothing = () => full([], NOTHING, { device });
      const values = [loss, correct, constraint?.worstRatio() ?? nothing(), penalty ?? nothing()];
      return concat(values.map((value) => value.reshape([1])));
    });
  });
}

/** Reads what `trainStep` returned and frees it. */
export async function readMetrics(values: Tensor): Promise<StepMetrics> {
  const [loss, correct, worstRatio, penalty] = await values.data();
  values.dispose();
  const orNull = (value: number | undefined) => (value === NOTHING ? null : value!);
  return { loss: loss!, correct: correct!, worstRatio: orNull(worstRatio), penalty: orNull(penalty) };
}
