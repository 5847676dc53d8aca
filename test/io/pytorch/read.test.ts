import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type PytorchValue, readPytorch, type StateEntry, stateDictOf } from '../../../src/io/index.ts';
import { expectGolden, golden } from '../golden.ts';

const read = (name: string): PytorchValue => readPytorch(golden(name), name);
const stateOf = (name: string) => stateDictOf(read(name), name);

describe('tensors', () => {
  it.each(['dtypes.pt', 'dtypes-legacy.pt'])('%s: every dtype, scalars and empty tensors', (name) => {
    expectGolden(stateOf(name), 'dtypes');
  });

  it('unsigned.pt: untyped storages', () => expectGolden(stateOf('unsigned.pt'), 'unsigned'));

  it.each(['views.pt', 'views-legacy.pt', 'zip64.pt'])('%s: strides, offsets, expanded and shared storage', (name) => {
    expectGolden(stateOf(name), 'views');
  });

  it('gives tensors that show the same values of a storage one array, and others their own', () => {
    const state = stateOf('tied.pt');
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => state.get(name)!.data);
    expect([a === b, a === c, a === d]).toEqual([true, false, false]);
    expect([...c!]).toEqual([0, 1, 2]);
  });
});

const CHECKPOINTS = [
  ...['checkpoint.pt', 'checkpoint-3.pt', 'checkpoint-4.pt', 'checkpoint-5.pt'],
  ...[1, 2, 3, 4, 5].map((protocol) => `checkpoint-legacy-${protocol}.pt`),
];

describe.each(CHECKPOINTS)('%s', (name) => {
  it('finds the state dict and strips module.', () => expectGolden(stateOf(name), 'checkpoint'));

  it('turns Python values into plain ones', () => {
    const value = read(name) as Map<string, PytorchValue>;
    const plain = [...value].filter(([key]) => key !== 'state_dict' && key !== 'attribute');
    expect(Object.fromEntries(plain)).toEqual({
      epoch: 12,
      best_prec1: 91.78,
      arch: 'résnet\n20',
      done: true,
      nothing: null,
      large: 2n ** 70n,
      negative: -(2 ** 40),
      small: -5,
      bytes: Uint8Array.of(0x61, 0xff, 0),
      raw: Uint8Array.of(1, 0xfe),
      set: new Set([3]),
      nested: new Map<PytorchValue, PytorchValue>([
        ['list', [1, [2, [3.5]]]],
        [7, 'seven'],
      ]),
      size: [1, 2],
      device: 'cuda:1',
      cpu: 'cpu',
      dtype: 'torch.float16',
      milestones: new Map([[30, 1]]),
    });
    expect(value.get('attribute')).toEqual({ shape: [1], dtype: 'f32', data: Float32Array.of(3) });
  });
});

describe('finding the state dict', () => {
  const entry: StateEntry = { shape: [], dtype: 'f32', data: Float32Array.of(1) };
  const state = new Map<PytorchValue, PytorchValue>([['w', entry]]);

  it.each(['state_dict', 'model_state_dict', 'model', 'net'])('under %s', (key) => {
    const found = stateDictOf(
      new Map<PytorchValue, PytorchValue>([
        ['epoch', 1],
        [key, state],
      ]),
    );
    expect([...found]).toEqual([['w', entry]]);
  });

  it('at the top, also when a tensor has one of those names', () => {
    expect([...stateDictOf(new Map([['net', entry]])).keys()]).toEqual(['net']);
  });

  it('says what there is instead', () => {
    expect(() => stateOf('none.pt')).toThrow("none.pt: holds no state dict: it is a dictionary of 2: 'epoch', 'lr'.");
    expect(() => stateOf('mixed.pt')).toThrow("holds under 'state_dict' not only tensors by name: 'epoch' is none");
    expect(() => stateDictOf(entry)).toThrow('it is a single tensor');
    expect(() => stateDictOf([1])).toThrow('it is no dictionary');
    expect(() => stateDictOf(new Map())).toThrow('a dictionary of 0');
    expect(() => stateDictOf(new Map([[3, entry]]))).toThrow('a dictionary of 1: a number');
  });
});

const published = new URL('../../../../shared/data/resnet-cifar10/', import.meta.url);

describe('published weights (../shared/data/resnet-cifar10)', () => {
  const digests = JSON.parse(new TextDecoder().decode(golden('published.json'))) as Record<string, string>;
  it.for(Object.entries(digests))(
    '%s: every name, shape and value as PyTorch reads them',
    ([name, digest], { skip }) => {
      const url = new URL(name, published);
      skip(!existsSync(url), `${name} is not there: fetch ../shared/data/resnet-cifar10 to run this test`);
      const hash = createHash('sha256');
      for (const [key, { shape, data }] of stateDictOf(readPytorch(new Uint8Array(readFileSync(url)), name))) {
        hash.update(`${key}[${shape}]\n`).update(new Uint8Array(Float32Array.from(data as Float32Array).buffer));
      }
      expect(hash.digest('hex')).toBe(digest);
    },
  );
});
