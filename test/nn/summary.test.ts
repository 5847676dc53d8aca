/** The summary: real shapes, counts and modes, and nothing changed. */
import { describe, expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { BatchNorm2d, Conv2d, createModel, Dropout, Linear, Module, summary } from '../../src/nn/index.ts';
import { memory, setDefaultDevice } from '../../src/tensor/create.ts';
import { observeLaunches } from '../../src/tensor/launch.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

setDefaultDevice(new ReferenceDevice());

class Net extends Module {
  readonly conv = new Conv2d(2, 4, 3, { padding: 1 });
  readonly bn = new BatchNorm2d(4);
  readonly twice = new Conv2d(4, 4, 1, { bias: false });
  readonly dropout = new Dropout(0.5, { seed: 1 });
  readonly unused = new Linear(2, 2);

  forward(x: Tensor): Tensor {
    const y = this.bn.forward(this.conv.forward(x)).relu();
    return this.dropout.forward(this.twice.forward(this.twice.forward(y)));
  }
}

describe('summary', () => {
  test('gives shape, parameters and operations of each module on its own', () => {
    const { rows, parameters, trainable, flops } = summary(new Net(), [2, 5, 5]);
    const row = (name: string) => rows.find((candidate) => candidate.name === name)!;
    // A convolution: 2 · inputs of one output (2·3·3) · outputs (4·5·5), and its bias once per output.
    expect(row('conv')).toEqual({
      name: 'conv',
      type: 'Conv2d',
      outputShape: [1, 4, 5, 5],
      parameters: 76,
      trainable: 76,
      flops: 2 * 18 * 100 + 100,
      batchNorm: null,
    });
    expect(row('twice')).toMatchObject({ parameters: 16, flops: 2 * (2 * 4 * 100) });
    // The model's own operation is relu.
    expect(row('')).toMatchObject({ type: 'Net', parameters: 0, flops: 100, outputShape: [1, 4, 5, 5] });
    expect(row('unused')).toMatchObject({ parameters: 6, flops: 0, outputShape: null });
    expect(parameters).toBe(76 + 8 + 16 + 6);
    expect(trainable).toBe(parameters);
    expect(flops).toBe(rows.reduce((sum, { flops }) => sum + flops, 0));
  });

  test('shows which BatchNorm does what and which parameters are fixed', () => {
    const net = new Net();
    const bn = () => summary(net, [2, 5, 5]).rows.find(({ name }) => name === 'bn')!;
    expect(bn()).toMatchObject({ batchNorm: 'train', trainable: 8 });
    net.eval();
    expect(bn()).toMatchObject({ batchNorm: 'eval', trainable: 8 });
    net.bn.freeze();
    net.train();
    expect(bn()).toMatchObject({ batchNorm: 'frozen', trainable: 0 });
    expect(summary(net, [2, 5, 5])).toMatchObject({ parameters: 106, trainable: 98 });
  });

  test('changes nothing: state, modes, methods, memory, observers', async () => {
    const net = new Net();
    net.conv.eval();
    const before = await net.stateDict();
    const { storages } = memory();
    summary(net, [2, 5, 5]);
    expect(memory().storages).toBe(storages);
    expect(await net.stateDict()).toEqual(before);
    expect(net.modules().map((m) => m.training)).toEqual([true, false, true, true, true, true]);
    expect(net.modules().some((m) => Object.hasOwn(m, 'forward'))).toBe(false);
    let launches = 0;
    const stop = observeLaunches(() => launches++);
    net.eval().bn.forward(net.conv.forward(net.conv.weight.slice([{ end: 1 }])));
    stop();
    expect(launches).toBeGreaterThan(0);
  });

  test('puts a forward of the module’s own back, also after an error', () => {
    const net = new Net();
    const own = (x: Tensor) => x;
    net.dropout.forward = own;
    summary(net, [2, 5, 5]);
    expect(net.dropout.forward).toBe(own);
    expect(() => summary(net, [3, 5, 5])).toThrow('conv2d: x (1, 3, 5, 5)');
    expect(net.dropout.forward).toBe(own);
    expect(net.training).toBe(true);
  });

  test('reads as a table', () => {
    const net = new Net();
    net.conv.freeze();
    const lines = String(summary(net, [2, 5, 5])).split('\n');
    expect(lines[0]).toMatch(/^layer +type +output +parameters +trainable +kFLOP +batch norm$/);
    expect(lines.find((line) => line.startsWith('conv'))).toMatch(/^conv +Conv2d +\(1, 4, 5, 5\) +76 +no +3\.7$/);
    expect(lines.find((line) => line.startsWith('bn'))).toMatch(/^bn +BatchNorm2d +.* 8 +yes +0\.2 +train$/);
    expect(lines.find((line) => line.startsWith('unused'))).toMatch(/not called +6 +yes$/);
    expect(lines.at(-1)).toMatch(/^total +input \(1, 2, 5, 5\) +106 +30 +\d+\.\d$/);
  });

  test('counts a ResNet-20 as its paper does', () => {
    const { rows, parameters, flops } = summary(createModel('resnet20'), [3, 16, 16]);
    const convolutions = rows.filter(({ type }) => type === 'Conv2d').reduce((sum, row) => sum + row.flops, 0);
    // 40.55 million multiply-adds for 32×32 pixels, a quarter for 16×16; the rest is BatchNorm, relu, shortcuts and the head.
    expect(convolutions).toBe((2 * 40_550_400) / 4);
    expect(flops / convolutions).toBeLessThan(1.03);
    expect(parameters).toBe(269_722);
    expect(rows.find(({ name }) => name === 'layer3.2')!.outputShape).toEqual([1, 64, 4, 4]);
  });
});
