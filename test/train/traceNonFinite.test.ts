import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/devices/device.ts';
import { memory, tensor } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import { traceNonFinite } from '../../src/train/index.ts';
import { openDevice, TinyNet } from './tiny.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.close());

describe('traceNonFinite', () => {
  it('finds the launch and the element', async () => {
    const origin = await traceNonFinite(() => {
      scope(() => {
        tensor([4, -1, 9], { device }).add(1).log().mul(2).sum();
      });
    });
    // x + 1 is 0 at element 1, and its logarithm −∞.
    expect(origin).toEqual({ kernel: 'unary', launch: 1, buffer: 'out', access: 'write', element: 1, parameters: [] });
  });

  it('says when a value came in from outside', async () => {
    const origin = await traceNonFinite(() => {
      scope(() => void tensor([1, 2, Number.POSITIVE_INFINITY], { device }).neg());
    });
    expect(origin).toMatchObject({ launch: 0, buffer: 'x', access: 'read', element: 2 });
  });

  it('names the parameter', async () => {
    const model = new TinyNet(device);
    const values = Array.from(await model.conv.weight.data());
    values[3] = Number.NaN;
    device.upload(model.conv.weight.storage.buffer, values, model.conv.weight.storage.offset);
    const images = tensor(new Float32Array(108), { shape: [1, 3, 6, 6], device });
    const origin = await traceNonFinite(() => scope(() => void model.forward(images)), model);
    expect(origin).toMatchObject({ kernel: 'conv2d', access: 'read', element: 3, parameters: ['conv.weight'] });
  });

  it('resolves to null where all is finite, and leaves nothing behind', async () => {
    const before = memory().storages;
    expect(await traceNonFinite(() => scope(() => void tensor([1, 2], { device }).exp()))).toBeNull();
    expect(memory().storages).toBe(before);
  });
});
