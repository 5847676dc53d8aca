/** Accuracy and loss of a model over every image of a loader, the last partial batch included. */
import { noGrad } from '../autograd/tape.ts';
import type { Batch } from '../data/loader.ts';
import type { Module } from '../nn/index.ts';
import { tensor } from '../tensor/create.ts';
import { scope } from '../tensor/scope.ts';
import type { BatchSource } from './fit.ts';

export interface Evaluation {
  readonly images: number;
  /** Share of images whose largest logit is their label's; the first wins a tie. */
  readonly top1: number;
  /** Share of images whose label is among the five largest logits. */
  readonly top5: number;
  /** Mean cross-entropy in nats, without label smoothing. */
  readonly loss: number;
}

export interface EvaluateOptions {
  readonly signal?: AbortSignal;
  /** Images done so far. */
  readonly onProgress?: (done: number) => void;
  /** The logits (images, classes) of every batch, in the loader's order. */
  readonly onLogits?: (logits: ArrayLike<number>, batch: Batch) => void;
}

/** The model gives NaN or infinity. */
export class NonFiniteLogitsError extends Error {
  override readonly name = 'NonFiniteLogitsError';
}

/** How many batches the device may have in work while the host counts. */
const BATCHES_AHEAD = 2;

/** Leaves the model in evaluation mode. Rejects with the reason of `signal` when it aborts, and with NonFiniteLogitsError. */
export async function evaluate(model: Module, loader: BatchSource, options: EvaluateOptions = {}): Promise<Evaluation> {
  model.eval();
  const counts = { images: 0, top1: 0, top5: 0, loss: 0 };
  const pending: Promise<{ logits: ArrayLike<number>; batch: Batch }>[] = [];
  const settle = async () => {
    const { logits, batch } = await pending.shift()!;
    count(logits, batch, counts);
    options.onLogits?.(logits, batch);
    options.onProgress?.(counts.images);
  };
  try {
    for await (const batch of loader.epoch(0)) {
      options.signal?.throwIfAborted();
      pending.push(classify(model, batch));
      if (pending.length > BATCHES_AHEAD) await settle();
    }
    while (pending.length > 0) await settle();
  } finally {
    await Promise.allSettled(pending);
  }
  const { images } = counts;
  return { images, top1: counts.top1 / images, top5: counts.top5 / images, loss: counts.loss / images };
}

async function classify(model: Module, batch: Batch): Promise<{ logits: ArrayLike<number>; batch: Batch }> {
  const logits = scope(() =>
    noGrad(() => model.forward(tensor(batch.images, { shape: batch.shape, device: model.device }))),
  );
  const values = await logits.data();
  logits.dispose();
  return { logits: values, batch };
}

/**
 * Adds a batch: for image n with logits z and label l, its rank is the number of classes before l when the classes are sorted
 * by falling logit (ties by index), and its loss is logsumexp(z) − z_l, in float64.
 */
function count(
  logits: ArrayLike<number>,
  { labels, indices }: Batch,
  counts: { images: number; top1: number; top5: number; loss: number },
): void {
  const classes = logits.length / labels.length;
  labels.forEach((label, n) => {
    const z = Array.from({ length: classes }, (_, j) => logits[n * classes + j]!);
    if (!z.every(Number.isFinite)) {
      throw new NonFiniteLogitsError(
        `The model gives image ${indices[n]} a logit that is not finite: [${z.slice(0, 5).join(', ')}, …].`,
      );
    }
    const own = z[label]!;
    const rank = z.filter((value, j) => value > own || (value === own && j < label)).length;
    const largest = Math.max(...z);
    counts.images++;
    counts.top1 += rank < 1 ? 1 : 0;
    counts.top5 += rank < 5 ? 1 : 0;
    counts.loss += largest + Math.log(z.reduce((sum, value) => sum + Math.exp(value - largest), 0)) - own;
  });
}
