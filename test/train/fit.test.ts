import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/devices/device.ts';
import { memory } from '../../src/tensor/create.ts';
import { type Checkpoint, type EpochRecord, type StepRecord, fit as train, trainStep } from '../../src/train/index.ts';
import { openDevice, TinyData, TinyNet, tinyRun, weightBytes } from './tiny.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

const EPOCHS = 4;

/** Runs to the end, or until `stopAfter` steps were reported. */
async function record({
  stopAfter = Number.POSITIVE_INFINITY,
  resume = undefined as Checkpoint | undefined,
  images = 10,
} = {}) {
  const run = tinyRun(device, { data: new TinyData({ images }) });
  const steps: StepRecord[] = [];
  const epochs: EpochRecord[] = [];
  const checkpoints: Checkpoint[] = [];
  const controller = new AbortController();
  const result = await train({
    ...run,
    epochs: EPOCHS,
    labelSmoothing: 0.1,
    signal: controller.signal,
    ...(resume && { resume }),
    onStep: (step) => {
      steps.push(step);
      if (step.step >= stopAfter) controller.abort();
    },
    onEpoch: (epoch, checkpoint) => {
      epochs.push(epoch);
      checkpoints.push(checkpoint);
    },
  });
  return { ...result, model: run.model, steps, epochs, checkpoints };
}

describe('fit', () => {
  it('takes every batch of every epoch, and learns', async () => {
    const { status, steps, epochs, checkpoint } = await record();
    expect(status).toBe('done');
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(steps.map(({ images }) => images)).toEqual([4, 4, 2, 4, 4, 2, 4, 4, 2, 4, 4, 2]);
    expect(epochs.map(({ epoch, step, images }) => [epoch, step, images])).toEqual([
      [1, 3, 10],
      [2, 6, 10],
      [3, 9, 10],
      [4, 12, 10],
    ]);
    expect(epochs[3]!.loss).toBeLessThan(epochs[0]!.loss);
    expect(checkpoint.position).toEqual({ epoch: 4, batch: 0, step: 12 });
  });

  it('reports per epoch the mean over its images, and the largest of its steps’ ratios', async () => {
    const { steps, epochs } = await record();
    const own = steps.filter(({ epoch }) => epoch === 2);
    const total = (of: (step: StepRecord) => number) => own.reduce((sum, step) => sum + of(step), 0);
    expect(epochs[1]!.loss).toBeCloseTo(total(({ loss, images }) => loss * images) / 10, 12);
    expect(epochs[1]!.accuracy).toBeCloseTo(total(({ correct }) => correct) / 10, 12);
    expect(epochs[1]!.worstRatio).toBe(Math.max(...own.map(({ worstRatio }) => worstRatio!)));
  });

  it('stays in the ball after every step, and reaches its boundary', async () => {
    const { steps } = await record();
    const ratios = steps.map(({ worstRatio }) => worstRatio!);
    expect(Math.max(...ratios)).toBeLessThanOrEqual(1 + 1e-5);
    expect(Math.max(...ratios)).toBeGreaterThan(0.999);
  });

  it('gives the same bytes when run twice', async () => {
    const [first, second] = [await record(), await record()];
    expect(await weightBytes(first.model)).toEqual(await weightBytes(second.model));
    expect(first.epochs).toEqual(second.epochs);
  });

  it('gives the same bytes when resumed after an epoch, or in the middle of one, dropout included', async () => {
    const images = 26;
    const whole = await record({ images });
    const afterEpoch = await record({ images, resume: whole.checkpoints[1]! });
    expect(await weightBytes(afterEpoch.model)).toEqual(await weightBytes(whole.model));
    expect(afterEpoch.epochs).toEqual(whole.epochs.slice(2));

    const stopped = await record({ images, stopAfter: 9 });
    expect(stopped.status).toBe('interrupted');
    expect(stopped.checkpoint.position.epoch).toBe(1);
    expect(stopped.checkpoint.position.batch).toBeGreaterThan(0);
    const resumed = await record({ images, resume: stopped.checkpoint });
    expect(await weightBytes(resumed.model)).toEqual(await weightBytes(whole.model));
    expect(resumed.epochs).toEqual(whole.epochs.slice(1));
  });

  it('frees what a step makes', async () => {
    const run = tinyRun(device, { data: new TinyData({ images: 400 }) });
    let early = 0;
    let late = 0;
    await train({
      ...run,
      epochs: 1,
      onStep: ({ step }) => {
        if (step === 10) early = memory().storages;
        if (step === 90) late = memory().storages;
      },
    });
    // The numbers of up to three steps may be on their way at either look; eighty steps that leaked would show eightyfold.
    expect(Math.abs(late - early)).toBeLessThanOrEqual(3);
  });

  it('names the step and the launch that made a loss infinite', async () => {
    const run = tinyRun(device, { radius: Number.POSITIVE_INFINITY, learningRate: 1e30 });
    await expect(train({ ...run, epochs: 2 })).rejects.toThrow(
      /^The loss is NaN at step \d+ \(epoch \d+, batch \d+\)\. The first value that is not finite was made by \w+ .*Lower the learning rate\.$/,
    );
  });

  it('tells a NaN in the images from one that was computed', async () => {
    const run = tinyRun(device, { data: new TinyData({ spoiled: 1 }) });
    const failure = await train({ ...run, epochs: 1 }).then(
      () => null,
      (error: Error) => error,
    );
    expect(failure).toMatchObject({
      name: 'NonFiniteLossError',
      step: 2,
      origin: { access: 'read', element: 7 },
    });
    expect(failure!.message).toContain('came in from outside');
  });

  it('passes on what reading an image throws', async () => {
    const run = tinyRun(device);
    const loader = {
      length: 2,
      epoch: async function* () {
        yield* [];
        throw new Error('photo.jpg is no image');
      },
    };
    await expect(train({ ...run, loader, epochs: 1 })).rejects.toThrow('photo.jpg is no image');
  });

  it('leaves the weights alone where nothing can move', async () => {
    const run = tinyRun(device, { radius: 0 });
    const before = await new TinyNet(device).conv.weight.data();
    await train({ ...run, epochs: 1 });
    expect(await run.model.conv.weight.data()).toEqual(before);
  });

  it('takes several batches per update, the last of an epoch what is left, and resumes between them', async () => {
    // Frozen statistics and no dropout: then the mean over batches is that over one large batch.
    const run = async (batchSize: number, accumulate: number, stopAfter?: number) => {
      const parts = tinyRun(device, { data: new TinyData({ images: 10, batchSize }) });
      parts.model.bn.freeze();
      const steps: StepRecord[] = [];
      const options = { ...parts, constraint: null, epochs: 2, accumulate, gradNorm: true };
      const controller = new AbortController();
      const onStep = (step: StepRecord) => {
        steps.push(step);
        if (step.step === stopAfter) controller.abort();
      };
      parts.model.dropout.eval();
      Object.defineProperty(parts.model.dropout, 'forward', { value: (x: unknown) => x, enumerable: false });
      let result = await train({ ...options, onStep, signal: controller.signal });
      if (result.status === 'interrupted') result = await train({ ...options, onStep, resume: result.checkpoint });
      const weights = await parts.model.stateDict();
      return { steps, weights, bytes: await weightBytes(parts.model) };
    };
    const [whole, parts, resumed] = [await run(8, 1), await run(2, 4), await run(2, 4, 1)];
    expect(whole.steps.map(({ images }) => images)).toEqual([8, 2, 8, 2]);
    expect(parts.steps.map(({ images }) => images)).toEqual([8, 2, 8, 2]);
    expect(parts.steps.at(-1)!.loss).toBeCloseTo(whole.steps.at(-1)!.loss, 5);
    expect(parts.steps[0]!.correct).toBe(whole.steps[0]!.correct);
    expect(parts.steps[0]!.gradNorm).toBeCloseTo(whole.steps[0]!.gradNorm!, 5);
    for (const [name, { data }] of whole.weights) {
      const other = parts.weights.get(name)!.data;
      for (let i = 0; i < data.length; i++) expect(Number(other[i]), name).toBeCloseTo(Number(data[i]), 5);
    }
    expect(resumed.bytes).toEqual(parts.bytes);
    await expect(train({ ...tinyRun(device), epochs: 1, accumulate: 0 })).rejects.toThrow('accumulate is 0');
  });

  it('clips the gradient, and says how long it was', async () => {
    const steps: StepRecord[] = [];
    const run = tinyRun(device, { learningRate: 0.1 });
    const before = await run.model.conv.weight.data();
    await train({ ...run, constraint: null, epochs: 1, clipGradNorm: 1e-6, onStep: (step) => steps.push(step) });
    expect(steps.every(({ gradNorm }) => gradNorm! > 0.01)).toBe(true);
    const after = await run.model.conv.weight.data();
    expect(Math.max(...after.map((value, i) => Math.abs(value - before[i]!)))).toBeLessThan(1e-6);
  });

  it('takes the shares of mixed batches into the loss', async () => {
    const parts = { ...tinyRun(device), penalties: [], labelSmoothing: 0 };
    parts.model.eval();
    const { value: batch } = await parts.loader.epoch(0)[Symbol.asyncIterator]().next();
    const other = Int32Array.from(batch!.labels as Int32Array, (label) => (label + 1) % 3);
    const lossOf = async (labels: Int32Array, mix?: { labels: Int32Array; share: number }) => {
      const values = trainStep({ ...parts, constraint: null }, { ...batch!, labels, ...(mix && { mix }) }, 0);
      const [loss] = await values.data();
      values.dispose();
      return loss!;
    };
    // The first projection moves the new classifier; after it, nothing moves.
    await lossOf(other);
    const [own, partners] = [await lossOf(batch!.labels), await lossOf(other)];
    expect(await lossOf(batch!.labels, { labels: other, share: 0.7 })).toBeCloseTo(0.7 * own + 0.3 * partners, 5);
  });
});
