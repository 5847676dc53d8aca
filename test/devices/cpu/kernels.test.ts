import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CpuDevice } from '../../../src/devices/cpu/device.ts';
import { createCpuDevice } from '../../../src/devices/cpu/node.ts';
import type { AnyKernel } from '../../../src/kernels/contract.ts';
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from '../../../src/kernels/conv2d.ts';
import { matmul } from '../../../src/kernels/matmul.ts';
import { type Constants, numbers, type Params, reference, relativeError, run } from './launch.ts';

let devices: CpuDevice[];

beforeAll(async () => {
  devices = await Promise.all([1, 2, 3].map((threads) => createCpuDevice({ threads })));
});
afterAll(() => {
  for (const device of devices) device.close();
});

/** Runs on 1, 2 and 3 threads: within the kernel's tolerance of the reference, and the same bytes. */
async function check(kernel: AnyKernel, params: Params, constants: Constants = {}): Promise<void> {
  const next = numbers(1);
  const sizes = kernel.sizes(params, constants) as Record<string, number>;
  const inputs = Object.fromEntries(
    Object.entries(sizes).map(([name, size]) => [name, Float32Array.from({ length: size }, next)]),
  );
  const wanted = reference(kernel, params, constants, inputs);
  const results = [];
  for (const device of devices) results.push(await run(device, kernel, params, constants, inputs));
  for (const [name, expected] of Object.entries(wanted)) {
    expect(relativeError(results[0]![name]!, expected), name).toBeLessThanOrEqual(kernel.tolerance);
    for (const result of results.slice(1)) expect(result[name]).toEqual(results[0]![name]);
  }
}

interface Shape {
  batch?: number;
  channels: number;
  outputs: number;
  size: [number, number];
  kernel: [number, number];
  stride?: [number, number];
  padding?: [number, number];
  dilation?: [number, number];
  groups?: number;
}

function convolution(s: Shape): Record<string, number> {
  const [strideHeight, strideWidth] = s.stride ?? [1, 1];
  const [paddingHeight, paddingWidth] = s.padding ?? [0, 0];
  const [dilationHeight, dilationWidth] = s.dilation ?? [1, 1];
  const out = (length: number, kernel: number, stride: number, padding: number, dilation: number) =>
    Math.floor((length + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
  return {
    batch: s.batch ?? 2,
    inChannels: s.channels,
    inHeight: s.size[0],
    inWidth: s.size[1],
    outChannels: s.outputs,
    outHeight: out(s.size[0], s.kernel[0], strideHeight, paddingHeight, dilationHeight),
    outWidth: out(s.size[1], s.kernel[1], strideWidth, paddingWidth, dilationWidth),
    kernelHeight: s.kernel[0],
    kernelWidth: s.kernel[1],
    strideHeight,
    strideWidth,
    paddingHeight,
    paddingWidth,
    dilationHeight,
    dilationWidth,
    groups: s.groups ?? 1,
  };
}

const shapes: [string, Shape][] = [
  ['one pixel', { channels: 1, outputs: 1, size: [1, 1], kernel: [1, 1] }],
  ['pointwise', { channels: 13, outputs: 17, size: [5, 7], kernel: [1, 1] }],
  ['pointwise, whole vectors', { channels: 16, outputs: 8, size: [8, 8], kernel: [1, 1] }],
  ['3×3, padded', { channels: 5, outputs: 9, size: [7, 11], kernel: [3, 3], padding: [1, 1] }],
  ['3×3, a residual block', { channels: 16, outputs: 16, size: [32, 32], kernel: [3, 3], padding: [1, 1] }],
  ['stride 2, odd size', { channels: 4, outputs: 10, size: [9, 13], kernel: [3, 3], padding: [1, 1], stride: [2, 2] }],
  [
    'stride 2, even size',
    { channels: 8, outputs: 16, size: [16, 16], kernel: [3, 3], padding: [1, 1], stride: [2, 2] },
  ],
  ['stride 2, pointwise', { channels: 6, outputs: 12, size: [8, 9], kernel: [1, 1], stride: [2, 2] }],
  ['7×7, stride 2', { channels: 3, outputs: 8, size: [29, 23], kernel: [7, 7], padding: [3, 3], stride: [2, 2] }],
  ['stride 3 beyond the kernel', { channels: 3, outputs: 5, size: [11, 10], kernel: [2, 1], stride: [3, 3] }],
  ['dilation 2', { channels: 4, outputs: 6, size: [11, 12], kernel: [3, 3], padding: [2, 2], dilation: [2, 2] }],
  [
    'uneven',
    { channels: 2, outputs: 3, size: [13, 6], kernel: [5, 2], padding: [2, 1], stride: [1, 2], dilation: [2, 3] },
  ],
  ['groups', { channels: 12, outputs: 18, size: [8, 9], kernel: [3, 3], padding: [1, 1], groups: 3 }],
  ['depthwise', { channels: 11, outputs: 11, size: [9, 9], kernel: [3, 3], padding: [1, 1], groups: 11 }],
  [
    'depthwise, stride 2',
    { channels: 8, outputs: 16, size: [9, 10], kernel: [3, 3], padding: [1, 1], stride: [2, 2], groups: 8 },
  ],
  ['more than one block of terms', { channels: 67, outputs: 9, size: [5, 6], kernel: [3, 3], padding: [1, 1] }],
  ['padding wider than the kernel', { channels: 2, outputs: 2, size: [3, 4], kernel: [2, 2], padding: [3, 3] }],
  ['one row block of many', { batch: 1, channels: 4, outputs: 4, size: [64, 40], kernel: [3, 3], padding: [1, 1] }],
  ['no images', { batch: 0, channels: 3, outputs: 4, size: [5, 5], kernel: [3, 3] }],
];

describe('convolution', () => {
  test.each(shapes)('%s', async (_, shape) => {
    const params = convolution(shape);
    await check(conv2d, params);
    await check(conv2dInputGrad, params);
    for (const splits of [1, 3, 8]) await check(conv2dWeightGrad, { ...params, splits });
  });
});

describe('matmul', () => {
  test.each([
    [1, 1, 1, 1],
    [1, 8, 8, 8],
    [1, 7, 13, 5],
    [3, 17, 9, 300],
    [2, 130, 140, 33],
    [1, 3, 2, 0],
    [1, 0, 4, 3],
    [4, 1, 10, 64],
  ])('batch %i, (%i, %i, %i)', async (batch, m, n, k) => {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const strides = { aBatchStride: m * k, bBatchStride: k * n };
        await check(matmul, { batch, m, n, k, ...strides }, { transposeA, transposeB });
        await check(matmul, { batch, m, n, k, ...strides, bBatchStride: 0 }, { transposeA, transposeB });
      }
    }
  });
});
