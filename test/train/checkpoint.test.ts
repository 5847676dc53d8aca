import { describe, expect, it } from 'vitest';
import { readSafetensors, stateEntry, writeSafetensors } from '../../src/io/index.ts';
import { type Checkpoint, packCheckpoint, unpackCheckpoint } from '../../src/train/index.ts';

const CHECKPOINT: Checkpoint = {
  position: { epoch: 2, batch: 3, step: 17 },
  totals: { images: 12, loss: 1.25, correct: 5, worstRatio: null, penalty: null, gradNorm: null },
  model: new Map([
    ['conv.weight', stateEntry([2], Float32Array.of(1.5, -0.1))],
    ['bn.num_batches_tracked', stateEntry([], BigInt64Array.of(17n))],
  ]) as Checkpoint['model'],
  optimizer: { step: 17, arrays: new Map([['velocity.0', Float64Array.of(1 / 3, 2)]]) },
};

describe('a checkpoint', () => {
  it('survives its file', () => {
    const { state, metadata } = packCheckpoint(CHECKPOINT);
    const file = readSafetensors(writeSafetensors(state, metadata));
    expect(unpackCheckpoint(file.state, file.metadata, 'file')).toEqual(CHECKPOINT);
  });

  it('refuses a file that is none', () => {
    expect(() => unpackCheckpoint(new Map(), {}, 'weights.safetensors')).toThrow(
      /weights.safetensors is no checkpoint/,
    );
  });
});
