/**
 * Softmax cross-entropy with integer labels and label smoothing ε (Szegedy et al. 2016), per row of logits z (n, c):
 *
 *   target t_j = (1 − ε)·[j = label] + ε/c
 *   loss = −Σⱼ tⱼ·log softmax(z)ⱼ = logsumexp(z) − (1 − ε)·z_label − ε·mean(z)
 *   d loss/d z_j = softmax(z)ⱼ − tⱼ
 *
 * A label outside 0 … c − 1 makes the row's loss and gradient NaN: loud, and traceable.
 */
import { defineKernel } from './contract.ts';

const SIZES = { rows: 'u32', classes: 'u32', smoothing: 'f32' } as const;

function logSumExp(z: Float64Array, start: number, classes: number): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let j = 0; j < classes; j++) largest = Math.max(largest, z[start + j]!);
  let sum = 0;
  for (let j = 0; j < classes; j++) sum += Math.exp(z[start + j]! - largest);
  return largest + Math.log(sum);
}

export const softmaxCrossEntropy = defineKernel({
  name: 'softmaxCrossEntropy',
  summary: 'losses[r] = logsumexp(z[r]) − (1 − ε)·z[r, label] − ε·mean(z[r])',
  constants: {},
  params: SIZES,
  buffers: {
    logits: { type: 'f32', access: 'read' },
    labels: { type: 'i32', access: 'read' },
    losses: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  /** A network that is sure of the label: a loss near 0 is the difference of two logits. */
  scale({ logits }, { rows, classes }) {
    let squares = 0;
    for (let r = 0; r < rows; r++) {
      let largest = 0;
      for (let j = 0; j < classes; j++) largest = Math.max(largest, Math.abs(logits[r * classes + j]!));
      squares += largest ** 2;
    }
    return Math.sqrt(squares);
  },
  sizes: ({ rows, classes }) => ({ logits: rows * classes, labels: rows, losses: rows }),
  flops: ({ rows, classes }) => 5 * rows * classes,
  reference({ logits, labels, losses }, { rows, classes, smoothing }) {
    for (let r = 0; r < rows; r++) {
      const start = r * classes;
      const label = labels[r]!;
      let mean = 0;
      for (let j = 0; j < classes; j++) mean += logits[start + j]! / classes;
      const chosen = label >= 0 && label < classes ? logits[start + label]! : Number.NaN;
      losses[r] = logSumExp(logits, start, classes) - (1 - smoothing) * chosen - smoothing * mean;
    }
  },
});

export const softmaxCrossEntropyGrad = defineKernel({
  name: 'softmaxCrossEntropyGrad',
  summary: 'dLogits[r, j] = dLosses[r]·(softmax(z[r])ⱼ − tⱼ)',
  constants: {},
  params: SIZES,
  buffers: {
    logits: { type: 'f32', access: 'read' },
    labels: { type: 'i32', access: 'read' },
    dLosses: { type: 'f32', access: 'read' },
    dLogits: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  /** softmax(z)ⱼ − tⱼ, where both are near 1. */
  scale({ dLosses }, { rows }) {
    let squares = 0;
    for (let r = 0; r < rows; r++) squares += dLosses[r]! ** 2;
    return Math.sqrt(squares);
  },
  sizes: ({ rows, classes }) => ({ logits: rows * classes, labels: rows, dLosses: rows, dLogits: rows * classes }),
  flops: ({ rows, classes }) => 6 * rows * classes,
  reference({ logits, labels, dLosses, dLogits }, { rows, classes, smoothing }) {
    for (let r = 0; r < rows; r++) {
      const start = r * classes;
      const label = labels[r]!;
      const normaliser = logSumExp(logits, start, classes);
      const valid = label >= 0 && label < classes ? 1 : Number.NaN;
      for (let j = 0; j < classes; j++) {
        const target = (j === label ? 1 - smoothing : 0) + smoothing / classes;
        dLogits[start + j] = valid * dLosses[r]! * (Math.exp(logits[start + j]! - normaliser) - target);
      }
    }
  },
});
