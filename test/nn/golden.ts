/** Networks against PyTorch in float64: logits in both modes, the loss, every parameter's gradient, the running statistics. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backward, noGrad } from '../../src/autograd/tape.ts';
import type { Device, DeviceKind } from '../../src/devices/device.ts';
import { readSafetensors } from '../../src/io/index.ts';
import type { Classifier } from '../../src/nn/index.ts';
import { crossEntropy } from '../../src/ops/index.ts';
import { scope } from '../../src/tensor/scope.ts';
import { devices } from '../kernels/devices.ts';
import { imagesByFormula, labelsByFormula, setByFormula } from './formula.ts';

/** ‖difference‖/‖expected‖ that is allowed. The golden files' networks keep clear of the kinks where gradients jump. */
const TOLERANCE: Record<DeviceKind, number> = { reference: 1e-6, cpu: 1e-3, webgpu: 1e-3 };
/** A gradient that is zero by symmetry (a bias before a BatchNorm) is compared with this instead of its own norm. */
const SMALLEST_GRADIENT = 1e-2;
const SAMPLES = 16;

function norm(values: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += values[i]! * values[i]!;
  return Math.sqrt(squares);
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}

interface Golden {
  readonly metadata: Readonly<Record<string, string>>;
  /** Row i of a stored matrix, or the whole. */
  row(name: string, i?: number): number[];
}

function golden(file: string): Golden {
  const { state, metadata } = readSafetensors(readFileSync(new URL(`../golden/nn/${file}`, import.meta.url)), file);
  const row = (name: string, i?: number) => {
    const { data, shape } = state.get(name)!;
    const all = Array.from(data as Float64Array);
    return i === undefined ? all : all.slice(i * (shape[1] ?? 1), (i + 1) * (shape[1] ?? 1));
  };
  return { metadata, row };
}

const sampled = (data: ArrayLike<number>): number[] =>
  Array.from({ length: SAMPLES }, (_, j) => data[Math.floor((j * data.length) / SAMPLES)]!);

function expectClose(found: Iterable<number>, expected: number[], tolerance: number, what: string, floor = 0): void {
  const difference = norm([...found].map((value, i) => value - expected[i]!));
  expect([what, difference / Math.max(norm(expected), floor)]).toEqual([what, expect.toSatisfy((e) => e <= tolerance)]);
}

async function compare(model: Classifier, expected: Golden, tolerance: number): Promise<void> {
  const { device } = model;
  const { metadata, row } = expected;
  const [batch, ...image] = metadata.input!.split(',').map(Number);
  setByFormula(model, Number(metadata.shift));
  const images = imagesByFormula([batch!, ...image], Number(metadata.image_stream), device);
  const labels = labelsByFormula(batch!, Number(metadata.classes), device);
  const evaluated = scope(() => noGrad(() => model.eval().forward(images)));
  expectClose(await evaluated.data(), row('logits_eval'), tolerance, 'logits in evaluation');

  const [logits, loss] = scope(() => {
    const logits = model.train().forward(images);
    const loss = crossEntropy(logits, labels);
    backward(loss);
    return [logits.detach(), loss.detach()] as const;
  });
  expectClose(await logits.data(), row('logits_train'), tolerance, 'logits in training');
  expectClose(await loss.data(), row('loss'), tolerance, 'loss');

  expect([...model.namedParameters().keys()]).toEqual(metadata.parameters!.split(','));
  for (const [i, [name, parameter]] of [...model.namedParameters()].entries()) {
    const gradient = await parameter.grad!.data();
    const length = row('gradient_norms', i)[0]!;
    const floor = Math.max(length, SMALLEST_GRADIENT);
    expectClose([norm(gradient)], [length], tolerance, `norm of d ${name}`, floor);
    const sumScale = floor * Math.sqrt(gradient.length);
    expectClose([sum(gradient)], row('gradient_sums', i), tolerance, `sum of d ${name}`, sumScale);
    const samplesScale = floor * Math.sqrt(SAMPLES / gradient.length);
    expectClose(sampled(gradient), row('gradient_samples', i), tolerance, `samples of d ${name}`, samplesScale);
  }
  expect([...model.namedBuffers().keys()]).toEqual(metadata.buffers!.split(','));
  for (const [i, [name, buffer]] of [...model.namedBuffers()].entries()) {
    expectClose(sampled(await buffer.data()), row('statistics', i), tolerance, name);
  }
}

export interface GoldenCase {
  readonly name: string;
  /** Of test/golden/nn/. */
  readonly file: string;
  readonly create: (options: { classes: number; device: Device }) => Classifier;
  readonly on: readonly DeviceKind[];
}

/** A test for each case on each of its devices. */
export function describeGolden(cases: readonly GoldenCase[]): void {
  describe.each(devices)('on the $kind device', ({ kind, open }) => {
    let device: Device;
    beforeAll(async () => {
      device = await open();
    });
    afterAll(() => device?.close());

    for (const { name, file, create } of cases.filter(({ on }) => on.includes(kind))) {
      const title = `${name} computes what PyTorch computes (‖difference‖ ≤ ${TOLERANCE[kind]})`;
      test(title, { timeout: 1_800_000 }, async () => {
        const expected = golden(file);
        const model = create({ classes: Number(expected.metadata.classes), device });
        await compare(model, expected, TOLERANCE[kind]);
      });
    }
  });
}
