/** What a module finds in itself, its modes, and its state as data. */
import { describe, expect, test } from 'vitest';
import { backward } from '../../src/autograd/tape.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { readSafetensors, writeSafetensors } from '../../src/io/index.ts';
import { BatchNorm2d, buffer, Conv2d, Dropout, Linear, Module, parameter, Sequential } from '../../src/nn/index.ts';
import { Arena } from '../../src/tensor/arena.ts';
import { memory, ones, setDefaultDevice, tensor, zeros } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

const device = new ReferenceDevice();
setDefaultDevice(device);

class Net extends Module {
  readonly conv = new Conv2d(2, 3, 3, { padding: 1, bias: false });
  readonly bn = new BatchNorm2d(3);
  readonly blocks = [new Conv2d(3, 3, 1), new Conv2d(3, 3, 1)];
  readonly scales = [parameter(ones([1])), parameter(ones([3]))];
  readonly mean = buffer(zeros([2]), 'input_mean');
  readonly cached = ones([7]);
  readonly width = 3;
  readonly head = new Sequential(new Dropout(0.5, { seed: 1 }), new Linear(3, 2));

  forward(x: Tensor): Tensor {
    const maps = this.blocks.reduce((y, block) => block.forward(y), this.bn.forward(this.conv.forward(x)).relu());
    return this.head.forward(maps.mean([2, 3]).mul(this.scales[0]!));
  }
}

const values = async (t: Tensor) => Array.from(await t.data());

describe('a module', () => {
  test('finds modules, marked tensors and arrays of both by the names of its properties', () => {
    const net = new Net();
    expect([...net.namedParameters().keys()]).toEqual([
      'scales.0',
      'scales.1',
      'conv.weight',
      'bn.weight',
      'bn.bias',
      'blocks.0.weight',
      'blocks.0.bias',
      'blocks.1.weight',
      'blocks.1.bias',
      'head.1.weight',
      'head.1.bias',
    ]);
    expect([...net.namedBuffers().keys()]).toEqual(['input_mean', 'bn.running_mean', 'bn.running_var']);
    expect([...net.namedModules().keys()]).toEqual([
      '',
      'conv',
      'bn',
      'blocks.0',
      'blocks.1',
      'head',
      'head.0',
      'head.1',
    ]);
    expect([...net.namedChildren().keys()]).toEqual(['conv', 'bn', 'blocks.0', 'blocks.1', 'head']);
    expect(net.parameters().every((p) => p.requiresGrad)).toBe(true);
    expect([...net.namedBuffers().values()].some((b) => b.requiresGrad)).toBe(false);
  });

  test('counts a part that two properties share once among parameters, and saves it under both names', async () => {
    class Tied extends Module {
      readonly a = new Linear(2, 2, { bias: false });
      readonly b = this.a;
      forward(x: Tensor): Tensor {
        return this.b.forward(this.a.forward(x));
      }
    }
    const tied = new Tied();
    expect([...tied.namedParameters().keys()]).toEqual(['a.weight']);
    expect([...(await tied.stateDict()).keys()]).toEqual(['a.weight', 'b.weight']);
  });

  test('keeps its parameters when it is made in a scope', () => {
    const net = scope(() => {
      const inner = new Net();
      return () => inner;
    })();
    expect([...net.parameters(), ...net.namedBuffers().values()].some((t) => t.isDisposed)).toBe(false);
    expect(net.cached.isDisposed).toBe(true);
  });

  test('takes no computed tensor as a parameter', () => {
    expect(() => parameter(tensor([1], { requiresGrad: true }).mul(2))).toThrow('must be a leaf');
  });

  test('lives where its parameters live, or on the default device', () => {
    const other = new ReferenceDevice();
    expect(new Linear(2, 2, { device: other }).device).toBe(other);
    expect(new Dropout().device).toBe(device);
  });

  test('visits every module of the tree', () => {
    const seen: string[] = [];
    new Net().apply((module) => seen.push(module.constructor.name));
    expect(seen).toEqual(['Net', 'Conv2d', 'BatchNorm2d', 'Conv2d', 'Conv2d', 'Sequential', 'Dropout', 'Linear']);
  });
});

describe('train, eval and freeze', () => {
  test('reach the whole tree', () => {
    const net = new Net();
    expect(
      net
        .eval()
        .modules()
        .some((m) => m.training),
    ).toBe(false);
    expect(
      net
        .train()
        .modules()
        .every((m) => m.training),
    ).toBe(true);
  });

  test('a frozen part requires no gradient and the rest trains on', () => {
    const net = new Net();
    net.conv.freeze();
    const before = net.head.parameters().length;
    expect(net.conv.weight.requiresGrad).toBe(false);
    expect(net.parameters().filter((p) => p.requiresGrad)).toHaveLength(net.parameters().length - 1);
    backward(net.forward(ones([2, 2, 3, 3])).sum());
    expect(net.conv.weight.grad).toBeNull();
    expect(net.head.parameters().filter((p) => p.grad)).toHaveLength(before);
  });

  test('a linear probe: all frozen but the head', () => {
    const net = new Net().freeze();
    net.head.unfreeze();
    expect([...net.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name)).toEqual([
      'head.1.weight',
      'head.1.bias',
    ]);
    net.unfreeze();
    expect(net.parameters().every((p) => p.requiresGrad)).toBe(true);
  });
});

describe('the state dict', () => {
  test("has PyTorch's names and order, with counters", async () => {
    const net = new Net();
    net.forward(ones([2, 2, 3, 3]));
    const state = await net.stateDict();
    expect([...state.keys()]).toEqual([
      'scales.0',
      'scales.1',
      'input_mean',
      'conv.weight',
      'bn.weight',
      'bn.bias',
      'bn.running_mean',
      'bn.running_var',
      'bn.num_batches_tracked',
      'blocks.0.weight',
      'blocks.0.bias',
      'blocks.1.weight',
      'blocks.1.bias',
      'head.0.calls',
      'head.1.weight',
      'head.1.bias',
    ]);
    expect(state.get('bn.num_batches_tracked')).toEqual({ shape: [], dtype: 'i64', data: BigInt64Array.of(1n) });
    expect(state.get('conv.weight')).toMatchObject({ shape: [3, 2, 3, 3], dtype: 'f64' });
  });

  test('goes through a file and back into another instance, which then does the same', async () => {
    const first = new Net();
    const x = ones([2, 2, 3, 3]);
    first.forward(x);
    const file = writeSafetensors(await first.stateDict());
    const second = new Net();
    expect(await values(second.conv.weight)).not.toEqual(await values(first.conv.weight));
    expect(second.loadStateDict(readSafetensors(file, 'a test').state)).toEqual({ missing: [], unexpected: [] });
    expect(await second.stateDict()).toEqual(await first.stateDict());
    // Dropout draws its second mask in both.
    expect(await values(second.forward(x))).toEqual(await values(first.forward(x)));
  });

  test('is a copy: later changes of the model do not reach it', async () => {
    const layer = new Linear(1, 1, { bias: false });
    const pending = layer.stateDict();
    layer.loadStateDict(new Map([['weight', { shape: [1, 1], data: Float32Array.of(42) }]]));
    expect((await pending).get('weight')!.data[0]).not.toBe(42);
    expect(await layer.weight.item()).toBe(42);
  });

  test('is loaded in place: parameters in an arena stay there, and so do their gradients', async () => {
    const layer = new Linear(2, 1);
    const arena = Arena.pack(layer.parameters());
    const storages = memory().storages;
    const weight = layer.weight;
    layer.loadStateDict(
      new Map([
        ['weight', { shape: [1, 2], data: Float32Array.of(3, 4) }],
        ['bias', { shape: [1], data: Float64Array.of(5) }],
      ]),
    );
    expect(layer.weight).toBe(weight);
    expect(memory().storages).toBe(storages);
    const flat = await values(arena.values);
    expect([flat[arena.offsetOf(layer.weight)], flat[arena.offsetOf(layer.weight) + 1]]).toEqual([3, 4]);
    expect(flat[arena.offsetOf(layer.bias!)]).toBe(5);
  });

  test('a load between forward and backward is noticed', () => {
    const layer = new Linear(2, 1, { bias: false });
    const y = layer.forward(ones([1, 2]).mul(parameter(ones([2])))).sum();
    layer.loadStateDict(new Map([['weight', { shape: [1, 2], data: Float32Array.of(3, 4) }]]));
    expect(() => backward(y)).toThrow('was overwritten since');
  });

  test('may lack counters, which older PyTorch files do not have', async () => {
    const net = new Net();
    const state = await net.stateDict();
    state.delete('bn.num_batches_tracked');
    net.bn.batchesTracked.value = 9;
    expect(net.loadStateDict(state)).toEqual({ missing: [], unexpected: [] });
    expect(net.bn.batchesTracked.value).toBe(9);
  });
});

describe('loading a state that does not fit', () => {
  const entry = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });

  test('names what is missing, what is unknown and both shapes of what differs, and changes nothing', async () => {
    const layer = new Linear(3, 2);
    const before = await layer.stateDict();
    const state = new Map([
      ['weight', entry(5, 3)],
      ['extra', entry(1)],
    ]);
    expect(() => layer.loadStateDict(state)).toThrow(
      [
        'The state does not fit Linear:',
        '  missing from the state (1): bias',
        '  unknown to the model (1): extra',
        '  of another kind (1): weight: the state has the shape (5, 3), the model needs (2, 3)',
      ].join('\n'),
    );
    expect(await layer.stateDict()).toEqual(before);
  });

  test('not strictly: other names are reported, other shapes are still an error', async () => {
    const layer = new Linear(3, 2);
    const state = new Map([
      ['bias', entry(2)],
      ['extra', entry(1)],
    ]);
    expect(layer.loadStateDict(state, { strict: false })).toEqual({ missing: ['weight'], unexpected: ['extra'] });
    expect(await values(layer.bias!)).toEqual([0, 0]);
    expect(() => layer.loadStateDict(new Map([['bias', entry(3)]]), { strict: false })).toThrow('needs (2)');
  });

  test('refuses integers, and values that do not fill their shape', () => {
    const layer = new Linear(1, 1, { bias: false });
    const integers = new Map([['weight', { shape: [1, 1], data: Int32Array.of(1) }]]);
    expect(() => layer.loadStateDict(integers)).toThrow('holds Int32Array values, the model needs floating-point ones');
    const short = new Map([['weight', { shape: [1, 1], data: Float32Array.of(1, 2) }]]);
    expect(() => layer.loadStateDict(short)).toThrow('2 values do not fill the shape (1, 1)');
  });

  test("recognises DataParallel's prefix", () => {
    const state = new Map([
      ['module.weight', entry(2, 3)],
      ['module.bias', entry(2)],
    ]);
    expect(() => new Linear(3, 2).loadStateDict(state)).toThrow('every name of the state begins with "module."');
  });

  test('lists no more than a dozen names', () => {
    const state = new Map(Array.from({ length: 20 }, (_, i) => [`x${i}`, entry(1)]));
    expect(() => new Dropout().loadStateDict(state)).toThrow(/unknown to the model \(20\): x0, .*x11, and 8 more$/m);
  });
});
