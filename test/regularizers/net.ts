/** What the regularisers' tests share: a small network of every kind of layer, and rows as plain numbers. */
import { grad } from '../../src/autograd/tape.ts';
import type { Device } from '../../src/devices/device.ts';
import { BatchNorm2d, Conv2d, Linear } from '../../src/nn/layers.ts';
import { Module } from '../../src/nn/module.ts';
import { uniform } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** A dense, a grouped and a depthwise convolution, a BatchNorm and a classifier. */
export class Net extends Module {
  readonly headName = 'head';
  conv = new Conv2d(4, 6, 3, { padding: 1 });
  norm = new BatchNorm2d(6);
  grouped = new Conv2d(6, 4, 3, { groups: 2, padding: 1 });
  depthwise = new Conv2d(4, 4, 3, { groups: 4, padding: 1 });
  head = new Linear(4, 3);

  forward(x: Tensor): Tensor {
    const features = this.depthwise.forward(
      this.grouped.forward(this.norm.forward(this.conv.forward(x)).relu()).relu(),
    );
    return this.head.forward(features.mean([2, 3]));
  }
}

export async function rowsOf(weight: Tensor): Promise<number[][]> {
  const values = Array.from(await weight.data());
  const length = values.length / weight.shape[0]!;
  return Array.from({ length: weight.shape[0]! }, (_, row) => values.slice(row * length, (row + 1) * length));
}

export const difference = (a: number[][], b: number[][]): number[][] =>
  a.map((row, i) => row.map((value, j) => value - b[i]![j]!));
export const l1 = (row: readonly number[]): number => row.reduce((sum, value) => sum + Math.abs(value), 0);

export const write = (target: Tensor, values: ArrayLike<number>): void =>
  (target.device as Device).upload(target.storage.buffer, values, target.storage.offset);

/** Moves every parameter by seeded noise of the given size. */
export async function disturb(model: Module, size: number, seed: number): Promise<void> {
  for (const [i, parameter] of model.parameters().entries()) {
    const noise = await uniform(parameter.shape, seed, { stream: i }).data();
    const values = await parameter.data();
    write(
      parameter,
      values.map((value, k) => value + size * (noise[k]! - 0.5)),
    );
  }
}

/** Compares d loss / d weight with central differences, element by element, on the reference device: weights stay where they live. */
export async function checkGradients(weights: readonly Tensor[], loss: () => Tensor, tolerance = 1e-6): Promise<void> {
  const gradients = scope(() => grad(loss(), weights));
  const step = 1e-5;
  for (const [i, weight] of weights.entries()) {
    const values = Float64Array.from(await weight.data());
    const found = await gradients[i]!.data();
    const at = async (element: number, value: number) => {
      const changed = values.slice();
      changed[element] = value;
      write(weight, changed);
      return scope(loss).item();
    };
    for (let element = 0; element < values.length; element += Math.ceil(values.length / 24)) {
      const centre = values[element]!;
      const numeric = ((await at(element, centre + step)) - (await at(element, centre - step))) / (2 * step);
      const error = Math.abs(found[element]! - numeric) / Math.max(1, Math.abs(numeric));
      if (!(error <= tolerance))
        throw new Error(
          `weight ${i}, element ${element}: the gradient is ${found[element]}, differences give ${numeric}`,
        );
    }
    write(weight, values);
  }
}
