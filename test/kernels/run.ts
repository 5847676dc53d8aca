/** Runs one case on a device and on paper (the float64 reference), and compares the two. */
import { ALIGNMENT, type BufferRange, type Device, type Launch, type NumericArray } from '../../src/devices/device.ts';
import type { BufferSpec, BufferSpecs, ElementType } from '../../src/kernels/contract.ts';
import { describeLaunch, type KernelCase } from './case.ts';

/** The contents of the written buffers after a launch. */
export type Outputs = Readonly<Record<string, NumericArray>>;

/** Stands around every range. Outside inputs, and in outputs before they are written, stands poison: NaN spreads. */
const CANARY = { f32: 1234.5, i32: 0x5eed } as const;
const POISON = { f32: Number.NaN, i32: 0x40000001 } as const;

function bufferEntries(kernel: KernelCase['kernel']): [string, BufferSpec][] {
  return Object.entries(kernel.buffers as BufferSpecs);
}

function sizesOf({ kernel, params, constants }: KernelCase): Record<string, number> {
  return kernel.sizes(params, constants) as Record<string, number>;
}

function filled(type: ElementType, length: number, value: number): Float32Array | Int32Array {
  return (type === 'f32' ? new Float32Array(length) : new Int32Array(length)).fill(value);
}

/** Throws where the launch wrote outside of what it was given. Every other buffer begins at an offset. */
export async function runCase(device: Device, testCase: KernelCase): Promise<Outputs> {
  const { kernel, constants, params, inputs } = testCase;
  const sizes = sizesOf(testCase);
  const ranges: Record<string, BufferRange> = {};
  const entries = bufferEntries(kernel);
  entries.forEach(([name, { type, access }], i) => {
    const offset = (i % 2) * ALIGNMENT;
    const length = sizes[name]!;
    const around = access === 'read' ? POISON[type] : CANARY[type];
    const contents = filled(type, offset + length + ALIGNMENT, around);
    if (access === 'write') contents.fill(POISON[type], offset, offset + length);
    else contents.set(inputs[name]!.subarray(0, length), offset);
    const buffer = device.allocate(type, contents.length);
    device.upload(buffer, contents);
    ranges[name] = { buffer, offset, length };
  });
  const launch = { kernel, constants, params, buffers: ranges } as Launch;
  device.launch(launch);
  const written = entries.filter(([, { access }]) => access !== 'read');
  const outputs: Record<string, NumericArray> = {};
  for (const [name, { type }] of written) {
    const { buffer, offset, length } = ranges[name]!;
    const contents = await device.read({ buffer, offset: 0, length: buffer.length });
    contents.forEach((value, at) => {
      if ((at < offset || at >= offset + length) && value !== CANARY[type]) {
        throw new Error(`${describeLaunch(testCase)}: wrote ${value} at ${name}[${at - offset}] of ${length} elements`);
      }
    });
    outputs[name] = contents.subarray(offset, offset + length);
  }
  for (const { buffer } of Object.values(ranges)) device.free(buffer);
  return outputs;
}

/** The kernel's definition applied to the (float32) inputs in float64. */
export function referenceOutputs(testCase: KernelCase): Outputs {
  const { kernel, constants, params, inputs } = testCase;
  const sizes = sizesOf(testCase);
  const buffers: Record<string, Float64Array | Int32Array> = {};
  for (const [name, { type, access }] of bufferEntries(kernel)) {
    const length = sizes[name]!;
    buffers[name] = type === 'f32' ? new Float64Array(length) : new Int32Array(length);
    if (access === 'write') buffers[name].fill(POISON[type]);
    else buffers[name].set(inputs[name]!.subarray(0, length));
  }
  kernel.reference(buffers, params, constants);
  return Object.fromEntries(
    bufferEntries(kernel)
      .filter(([, { access }]) => access !== 'read')
      .map(([name]) => [name, buffers[name]!]),
  );
}

/** Throws an error naming buffer, place and size of the difference where `outputs` are not what the contract demands. */
export function compare(testCase: KernelCase, outputs: Outputs, reference: Outputs): void {
  const { kernel, inputs } = testCase;
  for (const [name, { type, access }] of bufferEntries(kernel)) {
    if (access === 'read') continue;
    const actual = outputs[name]!;
    const expected = reference[name]!;
    const fail = (what: string): never => {
      throw new Error(`${describeLaunch(testCase)}: ${name} ${what}`);
    };
    if (actual.length !== expected.length) fail(`has ${actual.length} elements, not ${expected.length}`);
    const tolerance = type === 'i32' ? 0 : kernel.tolerance;
    const difference =
      tolerance === 0 ? firstUnequal(actual, expected) : firstMisplaced(actual, expected, inputs[name]);
    if (difference >= 0) fail(`[${difference}] is ${actual[difference]}, not ${expected[difference]}`);
    const error = relativeError(actual, expected);
    if (tolerance > 0 && error > tolerance) {
      const worst = largestError(actual, expected);
      fail(`is off by ${error.toExponential(2)}, at [${worst}] it is ${actual[worst]}, not ${expected[worst]}`);
    }
  }
}

const same = (a: number, b: number) => a === b || (Number.isNaN(a) && Number.isNaN(b));

/** The first place where float32 (or int32) values differ at all, or −1. */
function firstUnequal(actual: NumericArray, expected: NumericArray): number {
  return actual.findIndex((value, i) => !same(Math.fround(value), Math.fround(expected[i]!)));
}

/**
 * The first place that differs though no rounding may excuse it, or −1: a NaN or infinity here and not there, or an element
 * updated in place that should have kept its value.
 */
function firstMisplaced(actual: NumericArray, expected: NumericArray, before: NumericArray | undefined): number {
  return actual.findIndex((value, i) => {
    const target = expected[i]!;
    const isKept = before !== undefined && same(before[i]!, target);
    return (isKept || !Number.isFinite(value) || !Number.isFinite(target)) && !same(value, target);
  });
}

/** ‖actual − expected‖ / ‖expected‖ over the places where both are finite. */
export function relativeError(actual: NumericArray, expected: NumericArray): number {
  let errors = 0;
  let squares = 0;
  for (let i = 0; i < expected.length; i++) {
    if (!Number.isFinite(expected[i]!)) continue;
    errors += (actual[i]! - expected[i]!) ** 2;
    squares += expected[i]! ** 2;
  }
  return errors === 0 ? 0 : Math.sqrt(errors / squares);
}

function largestError(actual: NumericArray, expected: NumericArray): number {
  let worst = 0;
  for (let i = 1; i < expected.length; i++) {
    if (Math.abs(actual[i]! - expected[i]!) > Math.abs(actual[worst]! - expected[worst]!)) worst = i;
  }
  return worst;
}
