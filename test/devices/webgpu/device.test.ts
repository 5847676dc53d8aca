/** The engine: order, batches, pool, caches, limits. What kernels compute is tested in test/kernels. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WebGpuDevice } from '../../../src/devices/webgpu/device.ts';
import { requestNodeWebGpuDevice } from '../../../src/devices/webgpu/node.ts';
import { batchNormStats } from '../../../src/kernels/batchNorm.ts';
import { fill } from '../../../src/kernels/copy.ts';
import { binary, firstNonFinite, unary } from '../../../src/kernels/elementwise.ts';
import { projectRows } from '../../../src/kernels/rows.ts';
import { add, affine, all, copy, filled, openBreakable } from './support.ts';

let device: WebGpuDevice;
beforeAll(async () => {
  device = await requestNodeWebGpuDevice();
});
afterAll(() => device?.close());

it('says what it runs on', () => {
  expect(device.kind).toBe('webgpu');
  expect(device.name.length).toBeGreaterThan(3);
  expect(device.name.includes('(software)')).toBe(device.isSoftware);
});

it('takes uploads, launches and frees in the order in which they were given', async () => {
  const x = filled(device, 100, 1);
  const first = device.allocate('f32', 100);
  affine(device, all(x), all(first), 2, 0);
  // Neither this upload nor the reuse of freed memory may be seen by the launch before it.
  device.upload(x, new Float32Array(100).fill(10));
  const second = device.allocate('f32', 100);
  affine(device, all(x), all(second), 2, 0);
  device.free(x);
  const third = filled(device, 100, -1);
  const [a, b, c] = await Promise.all([first, second, third].map((buffer) => device.read(all(buffer))));
  expect(a).toEqual(new Float32Array(100).fill(2));
  expect(b).toEqual(new Float32Array(100).fill(20));
  expect(c).toEqual(new Float32Array(100).fill(-1));
  for (const buffer of [first, second, third]) device.free(buffer);
});

it('copies what is uploaded at once, and reads what was there when it was asked', async () => {
  const data = new Float32Array(64).fill(3);
  const x = device.allocate('f32', 64);
  device.upload(x, data);
  data.fill(4);
  const before = device.read(all(x));
  device.upload(x, data);
  const after = device.read(all(x));
  expect(await before).toEqual(new Float32Array(64).fill(3));
  expect(await after).toEqual(new Float32Array(64).fill(4));
  device.free(x);
});

it('uploads and reads ranges, of both types, from any array of numbers', async () => {
  const floats = device.allocate('f32', 130);
  device.upload(floats, new Array(130).fill(0.5));
  device.upload(floats, [7, 8], 64);
  const read = await device.read({ buffer: floats, offset: 64, length: 66 });
  expect([...read.subarray(0, 3)]).toEqual([7, 8, 0.5]);
  const integers = device.allocate('i32', 3);
  device.upload(integers, [-1, 2_000_000_001, 5]);
  expect(await device.read(all(integers))).toEqual(Int32Array.of(-1, 2_000_000_001, 5));
  expect(() => device.upload(floats, [1], 1)).toThrow(/element 1, not a multiple of 64/);
  expect(() => device.upload(floats, [1, 2, 3], 128)).toThrow(/3 elements at 128 into a buffer of 130/);
  await expect(device.read({ buffer: floats, offset: 64, length: 67 })).rejects.toThrow(/67 elements at 64/);
  device.free(floats);
  device.free(integers);
});

it('runs ten thousand launches given in one go', async () => {
  const x = filled(device, 64, 1);
  const out = filled(device, 64, 0);
  for (let i = 0; i < 10_000; i++) add(device, all(x), all(out));
  expect(await device.read(all(out))).toEqual(new Float32Array(64).fill(10_000));
  device.free(x);
  device.free(out);
});

it('gives every launch of a batch its own parameters', async () => {
  const x = filled(device, 64, 1);
  const outs = Array.from({ length: 300 }, (_, i) => {
    const out = device.allocate('f32', 64);
    affine(device, all(x), all(out), i, 1);
    return out;
  });
  const values = await Promise.all(outs.map((out) => device.read(all(out))));
  expect(values.map((value) => value[63])).toEqual(outs.map((_, i) => i + 1));
  for (const buffer of [x, ...outs]) device.free(buffer);
});

it('keeps memory flat over a thousand equal steps', async () => {
  const weights = filled(device, 1000, 1);
  const step = () => {
    const temporaries = [500, 1000, 70_000].map((length) => device.allocate('f32', length));
    affine(device, all(weights), { buffer: temporaries[1]!, offset: 0, length: 1000 }, 0, 1);
    add(device, all(temporaries[1]!), all(weights));
    for (const buffer of temporaries) device.free(buffer);
  };
  step();
  await device.synchronize();
  const before = device.memory();
  const pipelines = device.pipelineCount;
  for (let i = 0; i < 1000; i++) step();
  await device.synchronize();
  expect(device.memory()).toEqual(before);
  expect(device.pipelineCount).toBe(pipelines);
  expect((await device.read(all(weights)))[999]).toBe(1002);
  device.free(weights);
});

it('counts what is live, as it was asked for', () => {
  const before = device.memory();
  const buffers = [device.allocate('f32', 1001), device.allocate('i32', 3)];
  expect(device.memory().liveBuffers).toBe(before.liveBuffers + 2);
  expect(device.memory().liveBytes).toBe(before.liveBytes + 4 * 1004);
  for (const buffer of buffers) device.free(buffer);
  expect(device.memory().liveBytes).toBe(before.liveBytes);
  expect(() => device.free(buffers[0]!)).toThrow(/after it was freed/);
});

it('compiles a kernel once for each set of constants', async () => {
  const x = filled(device, 64, 1);
  const out = device.allocate('f32', 64);
  const apply = (operator: 'sin' | 'cos', alpha: number) => {
    const params = { count: 64, alpha, beta: 0 };
    device.launch({ kernel: unary, constants: { operator }, params, buffers: { x: all(x), out: all(out) } });
  };
  const before = device.pipelineCount;
  for (let i = 0; i < 100; i++) apply('sin', i);
  expect(device.pipelineCount).toBe(before + 1);
  apply('cos', 0);
  expect(device.pipelineCount).toBe(before + 2);
  device.free(x);
  device.free(out);
});

it('does nothing for empty launches, and binds nothing where a range is empty', async () => {
  const empty = device.allocate('f32', 0);
  const index = device.allocate('i32', 1);
  device.upload(index, [99]);
  device.launch({ kernel: fill, constants: {}, params: { count: 0, value: 1 }, buffers: { out: all(empty) } });
  const buffers = { x: all(empty), index: all(index) };
  device.launch({ kernel: firstNonFinite, constants: {}, params: { count: 0 }, buffers });
  expect(await device.read(all(index))).toEqual(Int32Array.of(-1));
  expect(await device.read(all(empty))).toEqual(new Float32Array(0));
  device.free(empty);
  device.free(index);
});

it('lets a launch read from a buffer that it writes to', async () => {
  const arena = device.allocate('f32', 192);
  device.upload(
    arena,
    Float32Array.from({ length: 192 }, (_, i) => i),
  );
  const part = (offset: number, length = 64) => ({ buffer: arena, offset, length });
  copy(device, part(0), part(128));
  affine(device, part(64), part(64), -1, 0);
  const values = await device.read(all(arena));
  expect(values.subarray(128)).toEqual(values.subarray(0, 64));
  expect(values[65]).toBe(-65);
  const live = device.memory().liveBuffers;
  const stats = { x: part(0), mean: part(64), variance: part(64) };
  const params = { batch: 1, channels: 64, spatial: 1 };
  expect(() => device.launch({ kernel: batchNormStats, constants: {}, params, buffers: stats })).toThrow(
    /'mean' and 'variance' are both written and overlap \(elements 64…127 and 64…127/,
  );
  expect(device.memory().liveBuffers).toBe(live);
  device.free(arena);
});

it('folds the grid where there are more than 65,535 workgroups', async () => {
  // One workgroup per row; every row is one element and is pulled from 1 to its radius.
  const rowCount = 70_001;
  const [weights, anchors, norms] = [1, 0, 1].map((value) => filled(device, rowCount, value));
  const radii = device.allocate('f32', rowCount);
  const expected = Float32Array.from({ length: rowCount }, (_, r) => (r % 7) / 8);
  device.upload(radii, expected);
  const rows = device.allocate('i32', 2 * rowCount);
  device.upload(
    rows,
    Int32Array.from({ length: 2 * rowCount }, (_, i) => (i % 2 === 0 ? i / 2 : 1)),
  );
  const buffers = {
    weights: all(weights!),
    anchors: all(anchors!),
    rows: all(rows),
    norms: all(norms!),
    radii: all(radii),
  };
  device.launch({ kernel: projectRows, constants: {}, params: { count: rowCount, rowCount }, buffers });
  expect(await device.read(all(weights!))).toEqual(expected);
  for (const buffer of [weights!, anchors!, norms!, radii, rows]) device.free(buffer);
});

it('names limit, need and remedy where something does not fit', async () => {
  const { device: small } = await openBreakable({
    maxBufferSize: 8192,
    maxStorageBufferBindingSize: 4096,
    maxComputeWorkgroupsPerDimension: 1,
  });
  expect(() => small.allocate('f32', 2049)).toThrow(/maxBufferSize ≥ 8196.*has 8192.*smaller batch/);
  const large = small.allocate('f32', 2048);
  expect(() => affine(small, all(large), all(large), 1, 0)).toThrow(/maxComputeWorkgroupsPerDimension ≥ 2/);
  const part = { buffer: large, offset: 0, length: 1024 };
  expect(() => affine(small, all(large), part, 1, 0)).toThrow(/buffer 'x' needs maxStorageBufferBindingSize ≥ 8192/);
  small.close();
});

it('times kernels one by one', async () => {
  const x = filled(device, 4096, 1);
  const out = filled(device, 4096, 1);
  const timings = await device.profile(() => {
    for (let i = 0; i < 1500; i++) add(device, all(x), all(out));
    affine(device, all(x), all(out), 1, 0);
  });
  const byName = new Map(timings.map((timing) => [timing.name, timing]));
  expect([...byName.keys()].sort()).toEqual(['accumulate', 'unary']);
  expect(byName.get('accumulate')).toMatchObject({ count: 1500, flops: 1500 * 4096, bytes: 1500 * 4096 * 12 });
  expect(byName.get('unary')).toMatchObject({ count: 1, flops: 4096, bytes: 4096 * 8 });
  expect(byName.get('accumulate')!.totalMs).toBeGreaterThan(0);
  device.free(x);
  device.free(out);
});

it('checks launches against the contract, and buffers against their device', async () => {
  const { device: other } = await openBreakable();
  const x = filled(device, 64, 1);
  const foreign = filled(other, 64, 1);
  expect(() => affine(device, all(foreign), all(x), 1, 0)).toThrow(/belongs to another device/);
  expect(() => affine(device, { buffer: x, offset: 0, length: 10 }, all(x), 1, 0)).toThrow(/'x' has 10 elements/);
  const operator = 'modulo' as 'add';
  const params = { count: 64, rank: 0, shape: [], aStrides: [], bStrides: [] };
  const buffers = { a: all(x), b: all(x), out: all(x) };
  expect(() => device.launch({ kernel: binary, constants: { operator, broadcast: false }, params, buffers })).toThrow(
    /'operator' is modulo, not one of add, subtract/,
  );
  device.free(x);
  other.close();
});
