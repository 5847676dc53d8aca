/** marsgrad's side of a comparison: the public operations, as a user calls them. */
import { grad, noGrad } from '../../src/autograd/tape.ts';
import type { Device } from '../../src/devices/device.ts';
import { createModel } from '../../src/nn/models/registry.ts';
import { conv2d } from '../../src/ops/conv2d.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { SGD } from '../../src/optim/sgd.ts';
import { tensor } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { trainStep } from '../../src/train/step.ts';
import { randomBatch } from '../cases/networks.ts';
import { RecordingDevice, recordPlan, totalFlops } from '../plan.ts';
import {
  type Conv2dShape,
  flopsOf,
  type MatmulShape,
  product,
  randomValues,
  type TaskShape,
  type TrainingShape,
} from './tasks.ts';

export interface Prepared {
  readonly shape: TaskShape;
  readonly flops: number;
  /** Arrays for the peers, by name. */
  readonly inputs: Readonly<Record<string, Float32Array>>;
  /** What a peer's result must be. */
  readonly result: Float32Array;
  /** The vector of what a peer's result is compared by: the result, or the update that a training step made. */
  comparable(result: Float32Array): Float32Array;
  /** Enqueues the work once. */
  run(): void;
  close(): void;
}

const asIs = (result: Float32Array): Float32Array => result;

function dispose(...tensors: readonly Tensor[]): void {
  for (const made of tensors) made.dispose();
}

async function valuesOf(made: Tensor): Promise<Float32Array> {
  const values = Float32Array.from(await made.data());
  made.dispose();
  return values;
}

export async function prepareMatmul(device: Device, shape: MatmulShape): Promise<Prepared> {
  const { m, n, k } = shape;
  const inputs = { a: randomValues('a', m * k), b: randomValues('b', k * n) };
  const a = tensor(inputs.a, { shape: [m, k], device });
  const b = tensor(inputs.b, { shape: [k, n], device });
  const compute = () => noGrad(() => matmul(a, b));
  return {
    shape,
    flops: flopsOf(shape),
    inputs,
    result: await valuesOf(compute()),
    comparable: asIs,
    run: () => compute().dispose(),
    close: () => dispose(a, b),
  };
}

export async function prepareConv2d(device: Device, shape: Conv2dShape): Promise<Prepared> {
  const { shapes, stride, padding, pass } = shape;
  const inputs = {
    x: randomValues('x', product(shapes.x)),
    w: randomValues('w', product(shapes.w)),
    dy: randomValues('dy', product(shapes.y)),
  };
  const x = tensor(inputs.x, { shape: shapes.x, device, requiresGrad: pass === 'inputGradient' });
  const w = tensor(inputs.w, { shape: shapes.w, device, requiresGrad: pass === 'weightGradient' });
  const dy = tensor(inputs.dy, { shape: shapes.y, device });
  const y = conv2d(x, w, { stride, padding });
  const gradient = (input: Tensor) => () => scope(() => grad(y, [input], { gradient: dy, retainGraph: true })[0]!);
  const forward = () => noGrad(() => conv2d(x, w, { stride, padding }));
  const compute = { forward, inputGradient: gradient(x), weightGradient: gradient(w) }[pass];
  return {
    shape,
    flops: flopsOf(shape),
    inputs,
    result: await valuesOf(compute()),
    comparable: asIs,
    run: () => compute().dispose(),
    close: () => dispose(x, w, dy, y),
  };
}

const LEARNING_RATE = 0.01;
const MOMENTUM = 0.9;
const CLASSES = 10;

/** ResNet-20 with SGD and momentum (no weight decay, which tfjs has not), from marsgrad's own initial weights. */
export async function prepareTraining(device: Device, batch: number, side: number): Promise<Prepared> {
  const data = randomBatch(batch, side, CLASSES);
  const { model, step } = trainer(device);
  const parameters = [...model.namedParameters()].map(([name, { shape }]) => ({ name, shape }));
  const before = await flatParameters(model);
  const [loss] = await valuesOf(step(data));
  const result = joined(loss!, await flatParameters(model));
  const shape: TrainingShape = {
    kind: 'training',
    name: `ResNet-20 training step, batch ${batch} at ${side}²`,
    ...{ batch, side, classes: CLASSES, learningRate: LEARNING_RATE, momentum: MOMENTUM, parameters },
  };
  return {
    shape,
    flops: trainingFlops(data),
    inputs: { parameters: before, images: data.images, labels: Float32Array.from(data.labels) },
    result,
    comparable: (after) =>
      joined(
        after[0]!,
        after.subarray(1).map((w, i) => (w - before[i]!) / LEARNING_RATE),
      ),
    run: () => step(data).dispose(),
    close: () => {},
  };
}

type TrainingBatch = ReturnType<typeof randomBatch>;

function trainer(device: Device) {
  const model = createModel('resnet20', { device, classes: CLASSES });
  const optimizer = new SGD(model.parameters(), { learningRate: LEARNING_RATE, momentum: MOMENTUM });
  const parts = { model, optimizer, labelSmoothing: 0, constraint: null, penalties: [] };
  return { model, step: (data: TrainingBatch) => trainStep(parts, data, LEARNING_RATE) };
}

function trainingFlops(data: TrainingBatch): number {
  const { step } = trainer(new RecordingDevice());
  return totalFlops(recordPlan(() => void step(data)));
}

function joined(first: number, rest: Float32Array): Float32Array {
  const all = new Float32Array(1 + rest.length);
  all[0] = first;
  all.set(rest, 1);
  return all;
}

async function flatParameters(model: { namedParameters(): Map<string, Tensor> }): Promise<Float32Array> {
  const arrays = await Promise.all([...model.namedParameters().values()].map((parameter) => parameter.data()));
  return Float32Array.from(arrays.flatMap((values) => [...values]));
}
