/** A training step of the paper's networks at 224² against PyTorch: loss, logits, running statistics, and the gradient of every parameter. */
import { createModel, EfficientNetB0 } from '../../src/nn/index.ts';
import { describeGolden } from '../nn/golden.ts';

describeGolden([
  {
    name: 'efficientnet_b0 at 224²',
    file: 'efficientnet_b0-224.safetensors',
    create: (options) => new EfficientNetB0({ ...options, dropConnect: 0, dropout: 0, random: null }),
    on: ['cpu', 'webgpu'],
  },
  {
    name: 'resnet101 at 224²',
    file: 'resnet101-224.safetensors',
    create: (options) => createModel('resnet101', { ...options, seed: null }),
    on: ['cpu', 'webgpu'],
  },
]);
