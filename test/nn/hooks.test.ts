import { expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { CapturedOutputs, Conv2d, hookOutputs, Linear, Module, Sequential } from '../../src/nn/index.ts';
import { memory, ones, setDefaultDevice } from '../../src/tensor/create.ts';
import { scope } from '../../src/tensor/scope.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

setDefaultDevice(new ReferenceDevice());

class Net extends Module {
  body = new Sequential(new Conv2d(1, 2, 3), new Conv2d(2, 3, 1));
  fc = new Linear(3, 2);
  forward(x: Tensor): Tensor {
    return this.fc.forward(this.body.forward(x).mean([2, 3]));
  }
}

test('outputs are caught, by name, in every pass until the hooks come off', async () => {
  const model = new Net();
  const names = [...model.namedParameters().keys()];
  const captured = new CapturedOutputs(model, ['body.0', 'body']);
  expect(() => captured.get('body')).toThrow('body has given no output: run the model first');
  const y = model.forward(ones([1, 1, 4, 4]));
  expect([captured.get('body.0').shape, captured.get('body').shape]).toEqual([
    [1, 2, 2, 2],
    [1, 3, 2, 2],
  ]);
  expect(await model.fc.forward(captured.get('body').mean([2, 3])).data()).toEqual(await y.data());
  // A hook is no part of the module.
  expect([...model.namedParameters().keys()]).toEqual(names);
  captured.release();
  const before = captured.get('body');
  model.forward(ones([1, 1, 4, 4]));
  expect(captured.get('body')).toBe(before);
});

test('a hook can change the output; hooks nest and come off in reverse', async () => {
  const model = new Net();
  const plain = await model.forward(ones([1, 1, 4, 4])).data();
  const outer = hookOutputs(model, ['body'], (y) => y.mul(0));
  const inner = hookOutputs(model, ['body'], (y) => y.add(0));
  const changed = await model.forward(ones([1, 1, 4, 4])).data();
  expect(changed).toEqual(await model.fc.bias!.data());
  inner();
  outer();
  expect(await model.forward(ones([1, 1, 4, 4])).data()).toEqual(plain);
});

test('what is captured dies with its scope', () => {
  const model = new Net();
  const captured = new CapturedOutputs(model, ['body']);
  const pass = () => scope(() => void model.forward(ones([1, 1, 4, 4])));
  pass();
  const { bytes } = memory();
  for (let i = 0; i < 5; i++) pass();
  expect(memory().bytes).toBe(bytes);
  captured.release();
});

test('a name that there is not is answered with the nearest', () => {
  expect(() => hookOutputs(new Net(), ['bdy'], (y) => y)).toThrow('no module "bdy". Did you mean "body"?');
});
