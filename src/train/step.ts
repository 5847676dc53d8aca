/** One training step: everything it makes but five numbers is freed when it ends, and nothing in it waits for the device. */
import { noGrad } from '../autograd/tape.ts';
import type { Batch } from '../data/loader.ts';
import type { Module } from '../nn/index.ts';
import { argmax, concat, crossEntropy, equal, sum as sumOf, toFloat } from '../ops/index.ts';
import { clipGradNorm, gradientNorm, type Optimizer } from '../optim/index.ts';
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
  /** Largest L2 norm of the gradient; null or left out: not clipped. */
  readonly clipGradNorm?: number | null;
  /** Measure that norm, clipped or not. Default false. */
  readonly gradNorm?: boolean;
}

/** What a step leaves behind, read back when the device has come so far. */
export interface StepMetrics {
  /** Cross-entropy, mean over the step's images, in nats; without the penalties. */
  readonly loss: number;
  /** Sum of the penalties; null without any. */
  readonly penalty: number | null;
  /** Images whose largest logit is their own label's (of mixed images: whatever their share). */
  readonly correct: number;
  /** Largest distance/radius after the update; null without a constraint. */
  readonly worstRatio: number | null;
  /** L2 norm of the gradient before it was clipped; null where it is not asked for. */
  readonly gradNorm: number | null;
}

/** A number that none of them can be. */
const NOTHING = -1;

/** What one batch gives. */
interface Pass {
  readonly loss: Tensor;
  readonly correct: Tensor;
  readonly penalty: Tensor | null;
}

/**
 * Forward, backward, update (and what is chained to the optimiser), enqueued in one synchronous scope. Of several batches the mean
 * gradient over all their images is taken, one after the other; BatchNorm normalises each by its own statistics and moves its running
 * ones at each.
 *
 * @returns (5): loss, images that were right, largest distance/radius after the update, penalty, norm of the gradient. The caller disposes it.
 */
export function trainStep(parts: StepParts, batch: Batch | readonly Batch[], learningRate: number): Tensor {
  const { model, optimizer, constraint } = parts;
  const { device } = model;
  const batches = Array.isArray(batch) ? (batch as readonly Batch[]) : [batch as Batch];
  const images = batches.reduce((total, { labels }) => total + labels.length, 0);
  return scope(() => {
    optimizer.zeroGrad();
    const passes = batches.map((one) => backwardPass(parts, one, one.labels.length / images));
    const norm = noGrad(() => boundGradients(parts));
    optimizer.learningRate = learningRate;
    optimizer.step();
    return noGrad(() => {
      const total = (values: readonly Tensor[]) => values.reduce((all, one) => all.add(one));
      const penalties = passes.flatMap(({ penalty }) => penalty ?? []);
      const values = [
        total(passes.map(({ loss }) => loss)),
        total(passes.map(({ correct }) => correct)),
        constraint?.worstRatio(),
        penalties.length > 0 ? total(penalties) : null,
        norm,
      ];
      return concat(values.map((value) => (value ?? full([], NOTHING, { device })).reshape([1])));
    });
  });
}

/** Adds the gradient of `share` times the batch's loss; loss and penalty are scaled by it too. */
function backwardPass({ model, labelSmoothing, penalties }: StepParts, batch: Batch, share: number): Pass {
  const { device } = model;
  return scope(() => {
    const images = tensor(batch.images, { shape: batch.shape, device });
    const labels = tensor(batch.labels, { device });
    const logits = model.forward(images);
    const whole = lossOf(logits, labels, batch.mix, labelSmoothing);
    const loss = share === 1 ? whole : whole.mul(share);
    const [first, ...others] = penalties.map((one) => one.loss(images));
    const sum = first && others.reduce((all, one) => all.add(one), first);
    const penalty = sum && (share === 1 ? sum : sum.mul(share));
    (penalty ? loss.add(penalty) : loss).backward();
    return noGrad(() => {
      const correct = sumOf(equal(toFloat(argmax(logits, 1)), toFloat(labels)));
      return { loss: loss.detach(), correct, penalty: penalty?.detach() ?? null };
    });
  });
}

/** Of a mixed batch, the labels' and their partners' cross-entropy by their shares. */
function lossOf(logits: Tensor, labels: Tensor, mix: Batch['mix'], labelSmoothing: number): Tensor {
  const own = crossEntropy(logits, labels, { labelSmoothing });
  if (!mix) return own;
  const partners = crossEntropy(logits, tensor(mix.labels, { device: labels.device }), { labelSmoothing });
  return own.mul(mix.share).add(partners.mul(1 - mix.share));
}

/** The norm of the gradient, where it is asked for; clipped where that is. */
function boundGradients({ model, clipGradNorm: largest, gradNorm }: StepParts): Tensor | null {
  if (largest !== undefined && largest !== null) return clipGradNorm(model.parameters(), largest);
  return gradNorm ? gradientNorm(model.parameters()) : null;
}

/** Reads what `trainStep` returned and frees it. */
export async function readMetrics(values: Tensor): Promise<StepMetrics> {
  const numbers = await values.data();
  values.dispose();
  return metricsOf(numbers);
}

/** By name, what `trainStep` returned. */
export function metricsOf([loss, correct, worstRatio, penalty, gradNorm]: Iterable<number>): StepMetrics {
  const orNull = (value: number | undefined) => (value === NOTHING ? null : value!);
  return {
    loss: loss!,
    correct: correct!,
    worstRatio: orNull(worstRatio),
    penalty: orNull(penalty),
    gradNorm: orNull(gradNorm),
  };
}
