/** A network, data and a run that take milliseconds. */
import type { Batch } from '../../src/data/loader.ts';
import { createCpuDevice } from '../../src/devices/cpu/node.ts';
import type { Device } from '../../src/devices/device.ts';
import { writeSafetensors } from '../../src/io/index.ts';
import { BatchNorm2d, Classifier, Conv2d, Dropout, defaultWeight, Linear } from '../../src/nn/index.ts';
import { chain, constant, project, SGD } from '../../src/optim/index.ts';
import { marsBall } from '../../src/regularizers/index.ts';
import { Random } from '../../src/tensor/random.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { BatchSource, FitOptions } from '../../src/train/index.ts';

export const CLASSES = 3;
export const openDevice = (): Promise<Device> => createCpuDevice({ threads: 2 });

export class TinyNet extends Classifier {
  readonly headName = 'fc';
  readonly stages = ['bn'];
  protected readonly headInitializer = defaultWeight;
  protected readonly mapChannels = 4;
  protected readonly halvings = 0;
  readonly conv: Conv2d;
  readonly bn: BatchNorm2d;
  readonly dropout = new Dropout(0.25, { seed: 5 });
  fc: Linear;

  constructor(device: Device, seed = 0) {
    super();
    const options = { device, random: new Random(seed) };
    this.conv = new Conv2d(3, 4, 3, { ...options, bias: false });
    this.bn = new BatchNorm2d(4, options);
    this.fc = new Linear(4, CLASSES, options);
  }

  get head(): Linear {
    return this.fc;
  }

  set head(head: Linear) {
    this.fc = head;
  }

  maps(x: Tensor): Tensor {
    return this.bn.forward(this.conv.forward(x)).relu();
  }

  override features(x: Tensor): Tensor {
    return this.dropout.forward(super.features(x));
  }
}

/** Images of 6×6 whose first channel is brighter for a higher label: learnable, and another order every epoch. */
export class TinyData implements BatchSource {
  readonly images: number;
  readonly batchSize: number;
  readonly spoiled: number | null;

  /** `spoiled`: the step (from 0, of the first epoch) whose images hold a NaN. */
  constructor({ images = 10, batchSize = 4, spoiled = null as number | null } = {}) {
    this.images = images;
    this.batchSize = batchSize;
    this.spoiled = spoiled;
  }

  get length(): number {
    return Math.ceil(this.images / this.batchSize);
  }

  async *epoch(epoch: number, firstBatch = 0): AsyncGenerator<Batch, void, void> {
    const order = new Random(1).fork(epoch).permutation(this.images);
    for (let b = firstBatch; b < this.length; b++) {
      const batch = batchOf(order.slice(b * this.batchSize, (b + 1) * this.batchSize));
      if (epoch === 0 && b === this.spoiled) batch.images[7] = Number.NaN;
      yield batch;
    }
  }
}

function batchOf(indices: Int32Array): Batch {
  const labels = Int32Array.from(indices, (index) => index % CLASSES);
  const images = new Float32Array(indices.length * 108);
  indices.forEach((index, n) => {
    const random = new Random(2).fork(index);
    for (let i = 0; i < 108; i++) images[n * 108 + i] = random.normal() + (i < 36 ? 2 * labels[n]! : 0);
  });
  return { images, shape: [indices.length, 3, 6, 6], labels, indices };
}

export interface TinyRun extends Pick<FitOptions, 'model' | 'optimizer' | 'constraint' | 'loader' | 'schedule'> {
  readonly model: TinyNet;
}

/** Model, optimiser and ball as at a run's beginning. */
export function tinyRun(device: Device, { radius = 0.05, learningRate = 0.1, data = new TinyData() } = {}): TinyRun {
  const model = new TinyNet(device);
  const sgd = new SGD(model.parameters(), { learningRate, momentum: 0.9 });
  const ball = marsBall(model, { extractor: radius, classifier: 2 * radius });
  return {
    model,
    loader: data,
    optimizer: chain(sgd, project(ball)),
    constraint: ball,
    schedule: constant(learningRate),
  };
}

export const weightBytes = async (model: TinyNet): Promise<Uint8Array> => writeSafetensors(await model.stateDict());
