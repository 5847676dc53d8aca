/** Weights and images that test/golden/nn/make_networks.py computes too; the formulas are described there. */

import type { Device } from '../../src/devices/device.ts';
import type { Module } from '../../src/nn/index.ts';
import { assign } from '../../src/nn/index.ts';
import { tensor } from '../../src/tensor/create.ts';
import { type Shape, sizeOf } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

/** On [0, 1), a multiple of 2^-24, from the number of a stream and of an element. */
function uniformAt(stream: number, i: number): number {
  let x = (Math.imul(stream, 0x9e3779b1) + i) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 8) * 2 ** -24;
}

function values(shape: Shape, stream: number, place: (u: number) => number): Float32Array {
  const result = new Float32Array(sizeOf(shape));
  for (let i = 0; i < result.length; i++) result[i] = place(uniformAt(stream, i));
  return result;
}

function placeFor(name: string, shape: Shape, shift: number): (u: number) => number {
  if (name.endsWith('running_var') || (name.endsWith('weight') && shape.length === 1)) return (u) => 0.5 + u;
  if (name.endsWith('running_mean')) return (u) => (2 * u - 1) * 0.3;
  if (name.endsWith('bias')) return (u) => (2 * u - 1) * 0.2 + (/fc|linear/.test(name) ? 0 : shift);
  const bound = Math.sqrt(6 / sizeOf(shape.slice(1)));
  return (u) => (2 * u - 1) * bound;
}

/** Parameters and buffers in the order of the state dict: tensor k takes stream k. */
export function setByFormula(network: Module, shift: number): void {
  const tensors = new Map([...network.namedParameters(), ...network.namedBuffers()]);
  const ownerOf = (name: string) => name.slice(0, Math.max(0, name.lastIndexOf('.')));
  const names = [...network.namedModules().keys()].flatMap((path) =>
    [...tensors.keys()].filter((name) => ownerOf(name) === path),
  );
  for (const [k, name] of names.entries()) {
    const { shape } = tensors.get(name)!;
    assign(tensors.get(name)!, values(shape, k, placeFor(name, shape, shift)));
  }
}

export function imagesByFormula(shape: Shape, stream: number, device: Device): Tensor {
  return tensor(
    values(shape, stream, (u) => (2 * u - 1) * Math.sqrt(3)),
    { shape, device },
  );
}

/** The labels (3i + 1) mod classes. */
export const labelsByFormula = (count: number, classes: number, device: Device): Tensor =>
  tensor(
    Int32Array.from({ length: count }, (_, i) => (3 * i + 1) % classes),
    { device },
  );
