/**
 * Softmax and cross-entropy; formulas in `src/kernels/crossEntropy.ts`.
 *
 *   loss = logsumexp(z) − Σⱼ tⱼ·zⱼ   →   dz = softmax(z) − t
 */
import { onceDifferentiable, record } from '../autograd/tape.ts';
import { softmaxCrossEntropy, softmaxCrossEntropyGrad } from '../kernels/crossEntropy.ts';
import { empty } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { div, exp, log, sub } from './elementwise.ts';
import { max, mean, sum } from './reduce.ts';
import { detach } from './shape.ts';

/** x − max(x): softmax does not change, and exp cannot overflow. */
const shifted = (x: Tensor, axis: number): Tensor => sub(x, detach(max(x, axis, { keepDims: true })));

/** exp(x) / Σ exp(x) along one axis. */
export function softmax(x: Tensor, axis = -1): Tensor {
  const e = exp(shifted(x, axis));
  return div(e, sum(e, axis, { keepDims: true }));
}

/** log softmax(x) along one axis, without forming the quotient. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  const s = shifted(x, axis);
  return sub(s, log(sum(exp(s), axis, { keepDims: true })));
}

export interface CrossEntropyOptions {
  /** ε in 0 … 1: the target is 1 − ε at the label plus ε/classes everywhere (Szegedy et al. 2016). */
  readonly labelSmoothing?: number;
  readonly reduction?: 'mean' | 'sum' | 'none';
}

/** logits (N, classes), labels (N) int32 in 0 … classes − 1 → mean (or sum, or each) of the N losses, in nats. */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const [rows, classes] = logits.shape;
  if (logits.rank !== 2 || labels.rank !== 1 || labels.shape[0] !== rows || labels.dtype !== 'i32') {
    throw new RangeError(
      `crossEntropy: logits ${shapeText(logits.shape)} and labels ${shapeText(labels.shape)} ${labels.dtype}: they must be (N, classes) and (N) int32`,
    );
  }
  const smoothing = options.labelSmoothing ?? 0;
  if (!(smoothing >= 0 && smoothing <= 1))
    throw new RangeError(`crossEntropy: a label smoothing of ${smoothing} is outside 0 … 1`);
  const params = { rows: rows!, classes: classes!, smoothing };
  const losses = empty([rows!], 'f32', logits.device);
  launch(softmaxCrossEntropy, {}, params, { logits, labels, losses });
  const each = record('crossEntropy', [logits], losses, [logits, labels], (dLosses) => {
    const dLogits = empty(logits.shape, 'f32', logits.device);
    launch(softmaxCrossEntropyGrad, {}, params, { logits, labels, dLosses, dLogits });
    return [onceDifferentiable('crossEntropy', [logits, dLosses], dLogits)];
  });
  if (options.reduction === 'none') return each;
  return options.reduction === 'sum' ? sum(each) : mean(each);
}
