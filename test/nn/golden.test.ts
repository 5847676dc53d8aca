/** Whole networks on small images against PyTorch; those at 224² are in test/long/golden.test.ts. */
import { createModel, EfficientNetB0 } from '../../src/nn/index.ts';
import { describeGolden } from './golden.ts';

// What is drawn at random in training differs between frameworks: it is off here as it was there.
const plain = { dropConnect: 0, dropout: 0, random: null };

describeGolden([
  {
    name: 'resnet20',
    file: 'cifar-resnet20.safetensors',
    create: (options) => createModel('resnet20', { ...options, seed: null }),
    on: ['reference', 'cpu', 'webgpu'],
  },
  {
    name: 'resnet18',
    file: 'resnet18.safetensors',
    create: (options) => createModel('resnet18', { ...options, seed: null }),
    on: ['cpu', 'webgpu'],
  },
  {
    name: 'resnet50',
    file: 'resnet50.safetensors',
    create: (options) => createModel('resnet50', { ...options, seed: null }),
    on: ['cpu', 'webgpu'],
  },
  {
    name: 'efficientnet_b0',
    file: 'efficientnet_b0.safetensors',
    create: (options) => new EfficientNetB0({ ...options, ...plain }),
    on: ['cpu', 'webgpu'],
  },
  {
    name: 'tf_efficientnet_b0',
    file: 'tf_efficientnet_b0.safetensors',
    create: (options) => new EfficientNetB0({ ...options, ...plain, epsilon: 1e-3, samePadding: true }),
    on: ['cpu'],
  },
]);
