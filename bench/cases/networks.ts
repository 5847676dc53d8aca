/** Whole steps as a user runs them: recording, launches, memory and all. */
import { noGrad } from '../../src/autograd/tape.ts';
import type { Batch } from '../../src/data/loader.ts';
import type { Device } from '../../src/devices/device.ts';
import type { Classifier } from '../../src/nn/models/classifier.ts';
import { createModel } from '../../src/nn/models/registry.ts';
import { chain, project } from '../../src/optim/optimizer.ts';
import { SGD } from '../../src/optim/sgd.ts';
import { marsBall } from '../../src/regularizers/ball.ts';
import { tensor } from '../../src/tensor/create.ts';
import { Random } from '../../src/tensor/random.ts';
import { scope } from '../../src/tensor/scope.ts';
import { trainStep } from '../../src/train/step.ts';

export interface NetworkCase {
  readonly group: string;
  readonly name: string;
  readonly images: number;
  /** Builds the network on a device; the returned function enqueues one step. */
  prepare(device: Device): () => void;
}

/** Random images and labels: neither the loss nor the speed depends on what they show. */
export function randomBatch(batch: number, side: number, classes: number): Batch {
  const random = new Random(7);
  return {
    images: Float32Array.from({ length: batch * 3 * side * side }, () => 2 * random.uniform() - 1),
    shape: [batch, 3, side, side],
    labels: Int32Array.from({ length: batch }, (_, i) => i % classes),
    indices: Int32Array.from({ length: batch }, (_, i) => i),
  };
}

/** A learning rate at which thousands of repetitions on one batch stay finite. */
const LEARNING_RATE = 1e-3;

/** Forward, loss, backward, SGD with Nesterov momentum; with `radius`, also the MARS projection and the distances it reports. */
export function trainingCase(network: string, batch: number, side: number, radius?: number): NetworkCase {
  return {
    group: 'networks',
    name: `${network} training step, batch ${batch} at ${side}²${radius === undefined ? '' : ', MARS projection'}`,
    images: batch,
    prepare(device) {
      const model = createModel(network, { device });
      const sgd = new SGD(model.parameters(), {
        learningRate: LEARNING_RATE,
        momentum: 0.9,
        weightDecay: 1e-4,
        nesterov: true,
      });
      const ball = radius === undefined ? null : marsBall(model, { extractor: radius, classifier: radius });
      const optimizer = ball ? chain(sgd, project(ball)) : sgd;
      const data = randomBatch(batch, side, classesOf(model));
      const parts = { model, optimizer, labelSmoothing: 0, constraint: ball, penalties: [] };
      return () => trainStep(parts, data, LEARNING_RATE).dispose();
    },
  };
}

export function forwardCase(network: string, batch: number, side: number): NetworkCase {
  return {
    group: 'networks',
    name: `${network} forward, batch ${batch} at ${side}²`,
    images: batch,
    prepare(device) {
      const model = createModel(network, { device }).eval() as Classifier;
      const data = randomBatch(batch, side, classesOf(model));
      return () =>
        scope(() => {
          noGrad(() => model.forward(tensor(data.images, { shape: data.shape, device })));
        });
    },
  };
}

const classesOf = (model: Classifier): number => model.head.outFeatures;
