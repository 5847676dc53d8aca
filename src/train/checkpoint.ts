/**
 * All that a run needs to go on as if it had never been stopped: weights, optimiser state, position, and the sums of the epoch
 * in work. Order and augmentation need nothing: the loader derives them from (seed, epoch, image).
 */
import { type StateDict, type StateEntry, stateEntry } from '../io/index.ts';
import type { Module } from '../nn/index.ts';
import type { Optimizer, OptimizerState } from '../optim/index.ts';

/** Where a run stands: the next batch to be taken. */
export interface Position {
  /** Epochs that are complete. */
  readonly epoch: number;
  /** Batches of the epoch in work that are done. */
  readonly batch: number;
  /** Optimiser steps done since the run began. */
  readonly step: number;
}

/** Sums over the batches of an epoch. */
export interface EpochTotals {
  readonly images: number;
  /** Sum over the images, in nats. */
  readonly loss: number;
  readonly correct: number;
  /** Largest distance/radius after any step of the epoch; null without a constraint. */
  readonly worstRatio: number | null;
  /** Sum over the images of the penalties; null without any. */
  readonly penalty: number | null;
  /** Sum over the images of the norm of their step's gradient; null where it is not measured. */
  readonly gradNorm: number | null;
}

export const NO_TOTALS: EpochTotals = {
  images: 0,
  loss: 0,
  correct: 0,
  worstRatio: null,
  penalty: null,
  gradNorm: null,
};

export interface Checkpoint {
  readonly position: Position;
  readonly totals: EpochTotals;
  readonly model: StateDict;
  readonly optimizer: OptimizerState;
}

export async function captureCheckpoint(
  model: Module,
  optimizer: Optimizer,
  position: Position,
  totals: EpochTotals,
): Promise<Checkpoint> {
  const [weights, state] = await Promise.all([model.stateDict(), optimizer.stateDict()]);
  return { position, totals, model: weights, optimizer: state };
}

/** Puts model and optimiser where they stood. They must be made as for the run's beginning. */
export function restoreCheckpoint(checkpoint: Checkpoint, model: Module, optimizer: Optimizer): void {
  model.loadStateDict(checkpoint.model);
  optimizer.loadStateDict(checkpoint.optimizer);
}

const MODEL = 'model/';
const OPTIMIZER = 'optimizer/';
const PROGRESS_KEY = 'progress';

/** As tensors and metadata for one safetensors file. */
export function packCheckpoint(checkpoint: Checkpoint): { state: StateDict; metadata: Record<string, string> } {
  const state: StateDict = new Map();
  for (const [name, entry] of checkpoint.model) state.set(MODEL + name, entry);
  for (const [name, array] of checkpoint.optimizer.arrays) {
    state.set(OPTIMIZER + name, stateEntry([array.length], array));
  }
  const { position, totals, optimizer } = checkpoint;
  return { state, metadata: { [PROGRESS_KEY]: JSON.stringify({ position, totals, optimizerStep: optimizer.step }) } };
}

/** The inverse of `packCheckpoint`. Throws where the file is no checkpoint; `source` is what the error calls it. */
export function unpackCheckpoint(
  state: StateDict,
  metadata: Readonly<Record<string, string>>,
  source: string,
): Checkpoint {
  const progress = metadata[PROGRESS_KEY];
  if (progress === undefined) throw new Error(`${source} is no checkpoint: its metadata has no '${PROGRESS_KEY}'.`);
  const { position, totals, optimizerStep } = JSON.parse(progress) as {
    position: Position;
    totals: EpochTotals;
    optimizerStep: number;
  };
  const model: StateDict = new Map();
  const arrays = new Map<string, OptimizerState['arrays'] extends ReadonlyMap<string, infer A> ? A : never>();
  for (const [name, entry] of state) {
    if (name.startsWith(MODEL)) model.set(name.slice(MODEL.length), entry);
    else if (name.startsWith(OPTIMIZER)) arrays.set(name.slice(OPTIMIZER.length), numbersOf(entry, name, source));
  }
  return { position, totals, model, optimizer: { step: optimizerStep, arrays } };
}

function numbersOf({ data, dtype }: StateEntry, name: string, source: string) {
  if (data instanceof Float32Array || data instanceof Float64Array || data instanceof Int32Array) return data;
  throw new Error(`${source}: '${name}' holds ${dtype} values; an optimiser's state is f32, f64 or i32.`);
}
