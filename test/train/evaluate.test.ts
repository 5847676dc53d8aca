import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/devices/device.ts';
import { Module } from '../../src/nn/index.ts';
import { setDefaultDevice } from '../../src/tensor/create.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { evaluate } from '../../src/train/index.ts';
import { openDevice } from './tiny.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
  setDefaultDevice(device);
});
afterAll(() => device.close());

/** Its logits are the image. */
class Echo extends Module {
  forward(x: Tensor): Tensor {
    return x.reshape([x.shape[0]!, 7]);
  }
}

/** Rows of seven logits, in batches of two. */
const loaderOf = (rows: readonly (readonly number[])[], labels: readonly number[]) => ({
  length: Math.ceil(rows.length / 2),
  epoch: async function* () {
    for (let start = 0; start < rows.length; start += 2) {
      const own = rows.slice(start, start + 2);
      const indices = Int32Array.from(own, (_, i) => start + i);
      yield {
        images: Float32Array.from(own.flat()),
        shape: [own.length, 1, 1, 7] as const,
        labels: Int32Array.from(indices, (index) => labels[index]!),
        indices,
      };
    }
  },
});

describe('evaluate', () => {
  it('counts every image, the last partial batch included', async () => {
    const rows = [
      [9, 1, 2, 3, 4, 5, 6], // first: right
      [1, 2, 3, 4, 5, 6, 7], // label 2 is fifth: top-5
      [1, 2, 3, 4, 5, 6, 7], // label 1 is sixth: wrong
      [5, 5, 0, 0, 0, 0, 0], // a tie: the first wins
      [5, 5, 0, 0, 0, 0, 0], // a tie: the second loses
    ];
    const result = await evaluate(new Echo(), loaderOf(rows, [0, 2, 1, 0, 1]));
    expect(result).toMatchObject({ images: 5, top1: 2 / 5, top5: 4 / 5 });
    const losses = rows.map((row, n) => {
      const sum = row.reduce((total, z) => total + Math.exp(z), 0);
      return Math.log(sum) - row[[0, 2, 1, 0, 1][n]!]!;
    });
    expect(result.loss).toBeCloseTo(losses.reduce((a, b) => a + b) / 5, 9);
  });

  it('does not overflow where logits are large', async () => {
    const result = await evaluate(new Echo(), loaderOf([[3e4, 0, 0, 0, 0, 0, 0]], [1]));
    expect(result.loss).toBeCloseTo(3e4, 6);
  });

  it('names the image whose logits are not finite', async () => {
    const rows = [
      [0, 0, 0, 0, 0, 0, 0],
      [0, Number.NaN, 0, 0, 0, 0, 0],
    ];
    await expect(evaluate(new Echo(), loaderOf(rows, [0, 0]))).rejects.toThrow(/image 1 a logit that is not finite/);
  });

  it('puts the model in evaluation mode, and stops when told to', async () => {
    const model = new Echo();
    await expect(
      evaluate(model, loaderOf([[1, 2, 3, 4, 5, 6, 7]], [0]), { signal: AbortSignal.abort(new Error('stopped')) }),
    ).rejects.toThrow('stopped');
    expect(model.training).toBe(false);
  });
});
