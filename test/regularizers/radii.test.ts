import { expect, test } from 'vitest';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { createModel } from '../../src/nn/index.ts';
import { constrainableLayers, depthScaled } from '../../src/regularizers/index.ts';
import { setDefaultDevice } from '../../src/tensor/create.ts';

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
