/** What backward promises, beyond each operation's own gradient. */
import { describe, expect, test } from 'vitest';
import { customFunction } from '../../src/autograd/customFunction.ts';
import { gradcheck } from '../../src/autograd/gradcheck.ts';
import { backward, grad, noGrad } from '../../src/autograd/tape.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { exp, mul } from '../../src/ops/index.ts';
import { Arena } from '../../src/tensor/arena.ts';
import { setDefaultDevice, tensor } from '../../src/tensor/create.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

setDefaultDevice(new ReferenceDevice());
const leaf = (...values: number[]) => tensor(values, { requiresGrad: true });
const values = async (t: Tensor | null) => Array.from((await t?.data()) ?? []);

describe('backward', () => {
  test('adds up over the paths of a diamond, and over passes', async () => {
    const x = leaf(3);
    const y = x.mul(2);
    y.mul(y).add(y).sum().backward();
    expect(await values(x.grad)).toEqual([26]); // d(4x² + 2x)
    x.mul(5).sum().backward();
    expect(await values(x.grad)).toEqual([31]);
  });

  test('walks ten thousand operations without recursion', async () => {
    const x = leaf(1);
    let y = x.mul(1);
    for (let i = 0; i < 10_000; i++) y = y.add(0.5);
    y.sum().backward();
    expect(await values(x.grad)).toEqual([1]);
  });

  test('takes the gradient of a tensor that is no scalar, and insists on one', async () => {
    const x = leaf(1, 2);
    expect(() => x.mul(2).backward()).toThrow('is no scalar');
    expect(() => x.mul(2).backward({ gradient: tensor([1]) })).toThrow('shape (1), the tensor (2)');
    x.mul(2).backward({ gradient: tensor([10, 100]) });
    expect(await values(x.grad)).toEqual([20, 200]);
  });

  test('runs once, unless asked to keep its graph', async () => {
    const x = leaf(2);
    const y = x.square().sum();
    y.backward({ retainGraph: true });
    y.backward();
    expect(await values(x.grad)).toEqual([8]);
    expect(() => y.backward()).toThrow('used by an earlier backward');
  });

  test('refuses what depends on nothing', () => {
    expect(() => tensor([1]).mul(2).backward()).toThrow('does not depend on anything with requiresGrad');
    const x = leaf(1);
    expect(() => noGrad(() => x.mul(2)).backward()).toThrow('does not depend');
    expect(() => x.mul(2).detach().backward()).toThrow('does not depend');
  });

  test('notices that a value it needs was overwritten', () => {
    const w = leaf(1, 2);
    Arena.pack([w]).gradients();
    const y = exp(w).sum();
    y.backward({ retainGraph: true });
    const arena = Arena.of([w])[0]!;
    arena.values.storage.markWritten();
    expect(() => w.square().sum().backward()).not.toThrow();
    expect(() => y.backward()).toThrow(/exp: .* was overwritten since/);
  });

  test('leaves no gradient where none is asked for', () => {
    const [x, w] = [tensor([1, 2]), leaf(3, 4)];
    mul(x, w).sum().backward();
    expect(x.grad).toBeNull();
    expect(w.grad).not.toBeNull();
  });
});

describe('grad', () => {
  test('gives gradients of inputs and intermediates, and touches no leaf', async () => {
    const x = leaf(3);
    const y = x.square();
    const [dx, dy, dz] = grad(y.mul(2).sum(), [x, y, leaf(1, 1)]);
    expect(await values(dx!)).toEqual([12]);
    expect(await values(dy!)).toEqual([2]);
    expect(await values(dz!)).toEqual([0, 0]);
    expect(x.grad).toBeNull();
  });

  test('can be differentiated again', async () => {
    const x = leaf(2);
    const [first] = grad(x.pow(4).sum(), [x], { createGraph: true });
    const [second] = grad(first!.sum(), [x], { createGraph: true });
    const [third] = grad(second!.sum(), [x]);
    expect([...(await values(first!)), ...(await values(second!)), ...(await values(third!))]).toEqual([32, 48, 48]);
  });
});

describe('customFunction', () => {
  const cube = customFunction<readonly [Tensor]>({
    name: 'cube',
    forward: (x) => x.mul(x).mul(x),
    backward: (dy, { inputs: [x] }) => [dy.mul(x.square()).mul(3)],
  });

  test('passes gradcheck, also for its second derivative', async () => {
    const input = { shape: [3], data: [0.5, -1, 2] };
    expect(await gradcheck(cube, [input])).toBeLessThan(1e-7);
    const first = (x: Tensor) => grad(cube(x).sum(), [x], { createGraph: true })[0]!;
    expect(await gradcheck(first, [input])).toBeLessThan(1e-7);
  });

  test('that is wrong does not', async () => {
    const wrong = customFunction<readonly [Tensor]>({
      name: 'wrong',
      forward: (x) => x.square(),
      backward: (dy, { inputs: [x] }) => [dy.mul(x)],
    });
    await expect(gradcheck(wrong, [{ shape: [2], data: [1, 2] }])).rejects.toThrow('input 0 (2), element 0');
  });

  test('with the wrong number of gradients is named', () => {
    const short = customFunction<readonly [Tensor, Tensor]>({
      name: 'short',
      forward: (a, b) => a.add(b),
      backward: (dy) => [dy],
    });
    expect(() => backward(short(leaf(1), leaf(2)))).toThrow('short: backward returned 1 gradients for 2 inputs');
  });

  test('may return its input', async () => {
    const same = customFunction<readonly [Tensor]>({ name: 'same', forward: (x) => x, backward: (dy) => [dy.mul(7)] });
    const x = leaf(1);
    same(x).sum().backward();
    expect(await values(x.grad)).toEqual([7]);
  });
});
