/** NaN, infinities and large arguments, where WGSL's own functions promise little. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WebGpuDevice } from '../../../src/devices/webgpu/device.ts';
import { requestNodeWebGpuDevice } from '../../../src/devices/webgpu/node.ts';
import { type BinaryOperator, binary, type UnaryOperator, unary } from '../../../src/kernels/elementwise.ts';
import { type ReduceOperator, reduce } from '../../../src/kernels/reduce.ts';
import { all } from './support.ts';

let device: WebGpuDevice;
beforeAll(async () => {
  device = await requestNodeWebGpuDevice();
});
afterAll(() => device?.close());

const NAN = Number.NaN;
const INF = Number.POSITIVE_INFINITY;
/** x86 makes NaNs with the sign bit set. */
const NEGATIVE_NAN = new Float32Array(Uint32Array.of(0xffc00000).buffer)[0]!;

async function applyUnary(operator: UnaryOperator, values: readonly number[], alpha = 0, beta = 0) {
  const x = device.allocate('f32', values.length);
  const out = device.allocate('f32', values.length);
  device.upload(x, values);
  const params = { count: values.length, alpha, beta };
  device.launch({ kernel: unary, constants: { operator }, params, buffers: { x: all(x), out: all(out) } });
  const result = await device.read(all(out));
  device.free(x);
  device.free(out);
  return [...result];
}

async function applyBinary(operator: BinaryOperator, left: readonly number[], right: readonly number[]) {
  const [a, b, out] = [left, right, left].map(({ length }) => device.allocate('f32', length));
  device.upload(a!, left);
  device.upload(b!, right);
  const none = [0, 0, 0, 0, 0, 0, 0, 0];
  const params = { count: left.length, rank: 0, shape: none, aStrides: none, bStrides: none };
  const buffers = { a: all(a!), b: all(b!), out: all(out!) };
  device.launch({ kernel: binary, constants: { operator, broadcast: false }, params, buffers });
  const result = await device.read(all(out!));
  for (const buffer of [a!, b!, out!]) device.free(buffer);
  return [...result];
}

async function applyReduce(operator: ReduceOperator, values: readonly number[]) {
  const [x, out] = [device.allocate('f32', values.length), device.allocate('f32', 1)];
  device.upload(x, values);
  const params = { outer: 1, reduced: values.length, inner: 1 };
  device.launch({ kernel: reduce, constants: { operator }, params, buffers: { x: all(x), out: all(out) } });
  const result = await device.read(all(out));
  device.free(x);
  device.free(out);
  return result[0];
}

it('NaN goes through relu, clamp, tanh, maximum and minimum, so that it is found where it was made', async () => {
  expect(await applyUnary('relu', [NAN, NEGATIVE_NAN, -INF, INF, -1, -0, 2])).toEqual([NAN, NAN, 0, INF, 0, 0, 2]);
  expect(await applyUnary('clamp', [NAN, -INF, INF, 0.5], 0, 1)).toEqual([NAN, 0, 1, 0.5]);
  expect(await applyUnary('tanh', [NAN, -INF, 1e30, 0])).toEqual([NAN, -1, 1, 0]);
  expect(await applyBinary('maximum', [NAN, 1, NEGATIVE_NAN, 3], [1, NAN, 1, 4])).toEqual([NAN, NAN, NAN, 4]);
  expect(await applyBinary('minimum', [NAN, 1, NEGATIVE_NAN, 3], [1, NAN, 1, 4])).toEqual([NAN, NAN, NAN, 3]);
  const values = Array.from({ length: 1000 }, (_, i) => i);
  expect(await applyReduce('maximum', values)).toBe(999);
  expect(await applyReduce('minimum', values)).toBe(0);
  for (const operator of ['maximum', 'minimum', 'sum'] as const) {
    for (const place of [0, 500, 999]) expect(await applyReduce(operator, values.with(place, NAN))).toBe(NAN);
  }
});

it('sigmoid saturates without overflow', async () => {
  expect(await applyUnary('sigmoid', [-1e4, 1e4, -INF, INF, 0])).toEqual([0, 1, 0, 1, 0.5]);
});

it('powers of negative bases have the sign of an odd exponent, and no real root', async () => {
  const bases = [-2, -2, -2, 0, 0, 0, 2];
  const powers = [3, 2, 0.5, 0, 2, -1, 0];
  const expected = [-8, 4, NAN, 1, 0, INF, 1];
  const actual = await applyBinary('power', bases, powers);
  actual.forEach((value, i) => {
    if (Number.isFinite(expected[i])) expect(value, `${bases[i]}^${powers[i]}`).toBeCloseTo(expected[i]!, 5);
    else expect(value, `${bases[i]}^${powers[i]}`).toBe(expected[i]);
  });
});

it.each(['sin', 'cos'] as const)('%s is right to 2e-7 far beyond the first turn', async (name) => {
  const angles = Array.from({ length: 4001 }, (_, i) => Math.fround((i - 2000) * 0.997));
  const actual = await applyUnary(name, angles);
  const worst = Math.max(...actual.map((value, i) => Math.abs(value - Math[name](angles[i]!))));
  expect(worst).toBeLessThan(2e-7);
});
