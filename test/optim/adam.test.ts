/** Adam, AMSGrad and AdamW against PyTorch's and Keras's own numbers (test/golden/optim/make_adam.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { sin } from '../../src/ops/index.ts';
import { Adam, type AdamOptions, AdamW, type Optimizer } from '../../src/optim/index.ts';
import { tensor } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

const golden = JSON.parse(readFileSync(new URL('../golden/optim/adam.json', import.meta.url), 'utf8'));
const device = new ReferenceDevice();
const leaf = (values: number[]) => tensor(values, { device, requiresGrad: true });

function stepDown(optimizer: Optimizer, w: Tensor, step: number): void {
  scope(() => {
    optimizer.zeroGrad();
    const curvature = tensor([0.5, 1, 2, 0.1], { device });
    w.square()
      .mul(curvature)
      .sum()
      .add(sin(w.add(3 * step)).sum())
      .backward();
    optimizer.step();
  });
}

describe.each([
  ['Adam', (w: Tensor, options: AdamOptions) => new Adam([w], options)],
  ['AdamW', (w: Tensor, options: AdamOptions) => new AdamW([w], options)],
] as const)('%s', (name, make) => {
  test.each(golden[name] as { options: AdamOptions; path: number[][] }[])('$options', async ({ options, path }) => {
    const w = leaf([1, -2, 0.5, 3]);
    const optimizer = make(w, options);
    for (const [step, expected] of path.entries()) {
      stepDown(optimizer, w, step);
      const found = await w.data();
      // β, ε and the size of a step reach the kernel as float32; Keras rounds β₂ before it takes 1 − β₂ᵗ, which is 10⁻⁵ of a step.
      const digits = options.semantics === 'keras' ? 5 : 6;
      expected.forEach((value, i) => {
        expect(found[i]).toBeCloseTo(value, digits);
      });
    }
  });
});

test('state saved and loaded gives the same steps', async () => {
  const run = async (interrupted: boolean) => {
    const w = leaf([1, -2, 0.5, 3]);
    const options = { learningRate: 0.1, amsgrad: true, betas: [0.5, 0.6] } as const;
    let optimizer = new Adam([w], options);
    for (let step = 0; step < 5; step++) {
      stepDown(optimizer, w, step);
      if (!interrupted) continue;
      const state = await optimizer.stateDict();
      optimizer = new Adam([w], options);
      optimizer.loadStateDict(state);
    }
    return Array.from(await w.data());
  };
  expect(await run(true)).toEqual(await run(false));
});

test('groups and freezing work as for SGD', async () => {
  const [a, b, c] = [leaf([1]), leaf([1]), leaf([1])];
  const groups = [{ parameters: [a], learningRateScale: 0.5 }, { parameters: [b, c] }];
  const optimizer = new Adam(groups, { learningRate: 0.1, epsilon: 0 });
  c.requiresGrad = false;
  scope(() => {
    optimizer.zeroGrad();
    a.add(b).sum().backward();
    optimizer.step();
  });
  // The first step of Adam has the size of the learning rate.
  expect((await a.data())[0]).toBeCloseTo(1 - 0.05, 6);
  expect((await b.data())[0]).toBeCloseTo(1 - 0.1, 6);
  expect((await c.data())[0]).toBe(1);
});

test('impossible options are refused in words', () => {
  expect(() => new Adam([leaf([1])], { learningRate: 0.1, betas: [0.9, 1] })).toThrow('Adam: betas[1] is 1');
  expect(() => new AdamW([leaf([1])], { learningRate: -1 })).toThrow('AdamW: learningRate is -1');
});
