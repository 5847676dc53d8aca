import { expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { BatchNorm2d, Conv2d, createModel, Linear, Module, Sequential } from '../../src/nn/index.ts';
import { constrainableLayers, depthScaled } from '../../src/regularizers/index.ts';
import { setDefaultDevice } from '../../src/tensor/create.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';

setDefaultDevice(new ReferenceDevice());

test("depth-scaled radii are RegSL's on a ResNet: D, D, D·s, D·s², the stem free, the head its own", () => {
  const layers = constrainableLayers(createModel('resnet18', { classes: 2, seed: null }));
  const rule = depthScaled(layers, 8, 0.5);
  const radiusOf = (name: string) => rule(layers.find((layer) => layer.name === name)!);
  expect(['layer1.0.conv1', 'layer2.1.bn2', 'layer3.0.downsample.0', 'layer4.1.conv2'].map(radiusOf)).toEqual([
    8, 8, 4, 2,
  ]);
  expect(['conv1', 'bn1'].map(radiusOf)).toEqual([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]);
  expect(radiusOf('fc')).toBeUndefined();
  expect(() => depthScaled(layers, 8, 0)).toThrow('the factor is 0');
});

/** A network of convolutions (with BatchNorm) by the names of their parts. */
class Named extends Module {
  readonly headName = 'classifier';
  classifier = new Linear(1, 1);
  constructor(parts: Record<string, Module>) {
    super();
    Object.assign(this, parts);
  }
  forward(x: Tensor): Tensor {
    return x;
  }
}
const one = () => new Sequential(new Conv2d(1, 1, 1), new BatchNorm2d(1));
const several = () => new Sequential(one(), one());

test('depth-scaled radii find the stages of other networks: parts with several convolutions, or those within the one that has them all', () => {
  const radiiOf = (model: Module, names: readonly string[]) => {
    const layers = constrainableLayers(model);
    const rule = depthScaled(layers, 8, 0.5);
    return names.map((name) => rule(layers.find((layer) => layer.name.startsWith(name))!));
  };
  const efficientNet = createModel('efficientnet_b0', { classes: 2, seed: null });
  const blocks = ['blocks.0.0.conv_dw', 'blocks.1', 'blocks.2.0.se.conv_reduce', 'blocks.3', 'blocks.6.0.bn3'];
  expect(radiiOf(efficientNet, blocks)).toEqual([8, 8, 4, 2, 0.25]);
  expect(radiiOf(efficientNet, ['conv_stem', 'bn1', 'conv_head', 'classifier'])).toEqual([
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    undefined,
  ]);
  const inFeatures = new Named({ features: new Sequential(one(), several(), several(), several(), one()) });
  expect(
    radiiOf(
      inFeatures,
      [0, 1, 2, 3, 4].map((i) => `features.${i}`),
    ),
  ).toEqual([Number.POSITIVE_INFINITY, 8, 8, 4, Number.POSITIVE_INFINITY]);
});
