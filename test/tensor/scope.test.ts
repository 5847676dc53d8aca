/** Nobody disposes by hand: what a scope frees, and what survives it. */
import { afterAll, describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { Linear } from '../../src/nn/layers.ts';
import { Module } from '../../src/nn/module.ts';
import { conv2d, crossEntropy } from '../../src/ops/index.ts';
import { chain, project, SGD } from '../../src/optim/index.ts';
import { marsBall } from '../../src/regularizers/index.ts';
import { memory, ones, setDefaultDevice, tensor, uniform } from '../../src/tensor/create.ts';
import { keep, scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

const device = new ReferenceDevice();
setDefaultDevice(device);
afterAll(() => device.close());

describe('a scope', () => {
  test('frees what was made in it, and keeps what it returns', async () => {
    const before = memory().storages;
    const inside: Tensor[] = [];
    const { kept, list } = scope(() => {
      const a = ones([4]);
      const b = a.add(1);
      inside.push(a, b);
      return { kept: b.mul(2), list: [b.mul(3)] };
    });
    expect(inside.every((t) => t.isDisposed)).toBe(true);
    expect(Array.from(await kept.data())).toEqual([4, 4, 4, 4]);
    expect(Array.from(await list[0]!.data())).toEqual([6, 6, 6, 6]);
    expect(memory().storages).toBe(before + 2);
    kept.dispose();
    list[0]!.dispose();
    expect(memory().storages).toBe(before);
  });

  test('keeps what the backward pass of its result needs', async () => {
    const w = tensor([1, 2], { requiresGrad: true });
    const loss = scope(() => w.square().exp().sum());
    scope(() => loss.backward());
    expect((await w.grad!.data())[0]).toBeCloseTo(2 * Math.E, 12);
  });

  test('frees the gradient of a leaf that was made in it', () => {
    const before = memory().storages;
    for (let i = 0; i < 10; i++) {
      scope(() => {
        const x = tensor([1, 2], { requiresGrad: true });
        scope(() => x.square().sum().backward());
        expect(x.grad!.isDisposed).toBe(false);
      });
    }
    expect(memory().storages).toBe(before);
  });

  test('finds what it returns in sets and maps', () => {
    const { a, b } = scope(() => ({ a: new Set([ones([1])]), b: new Map([['x', ones([1])]]) }));
    expect([...a, ...b.values()].some((t) => t.isDisposed)).toBe(false);
    for (const t of [...a, ...b.values()]) t.dispose();
  });

  test('hands survivors to the scope around it', () => {
    const before = memory().storages;
    let inner!: Tensor;
    scope(() => {
      inner = scope(() => ones([2]));
      expect(inner.isDisposed).toBe(false);
    });
    expect(inner.isDisposed).toBe(true);
    expect(memory().storages).toBe(before);
  });

  test('frees everything when its body throws', () => {
    const before = memory().storages;
    expect(() =>
      scope(() => {
        ones([2]).add(1);
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(memory().storages).toBe(before);
  });

  test('lets go of what is kept for longer', () => {
    const kept = scope(() => {
      keep(ones([2]));
      return keep(ones([3]));
    });
    expect(kept.isDisposed).toBe(false);
    kept.dispose();
  });

  test('refuses an asynchronous body', () => {
    expect(() => scope(async () => ones([1]))).toThrow('asynchronous');
  });

  test('says so when a freed tensor is used', () => {
    let lost!: Tensor;
    scope(() => {
      lost = ones([2, 3]);
    });
    expect(() => lost.add(1)).toThrow(/\(2, 3\) was already freed/);
  });
});

test('a view shares memory, and the last of them frees it', () => {
  const before = memory().storages;
  const a = ones([2, 3]);
  const b = a.reshape([3, 2]);
  expect(memory().storages).toBe(before + 1);
  a.dispose();
  expect(b.isDisposed).toBe(false);
  expect(memory().storages).toBe(before + 1);
  b.dispose();
  expect(memory().storages).toBe(before);
});

test('`using` frees at the end of its block', () => {
  const before = memory().storages;
  {
    using a = ones([2]);
    using b = a.add(1);
    expect(b.isDisposed).toBe(false);
    expect(memory().storages).toBe(before + 2);
  }
  expect(memory().storages).toBe(before);
});

test('1,000 training steps with projection keep memory flat', () => {
  class Net extends Module {
    readonly headName = 'head';
    head = new Linear(3, 2);
    kernel = new Linear(1, 3);
    forward(x: Tensor): Tensor {
      return this.head.forward(conv2d(x, this.kernel.weight.reshape([3, 1, 1, 1])).mean([2, 3]));
    }
  }
  const model = new Net();
  const sgd = new SGD(model.parameters(), { learningRate: 0.1, momentum: 0.9 });
  const optimizer = chain(sgd, project(marsBall(model, { extractor: 0.1, classifier: 0.5 })));
  const labels = tensor(new Int32Array([0, 1]));
  const step = (i: number) =>
    scope(() => {
      const loss = crossEntropy(model.forward(uniform([2, 1, 2, 2], i)), labels);
      optimizer.zeroGrad();
      loss.backward();
      optimizer.step();
      return loss;
    });
  step(0).dispose();
  const before = memory(device);
  for (let i = 1; i <= 1000; i++) step(i).dispose();
  expect(memory(device)).toEqual(before);
});
