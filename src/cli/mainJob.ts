/** The settings of the main job: what `marsgrad demo` runs, and what `bench/mainJob/` repeats over learning rates and seeds. */
import { join } from 'node:path';
import { FREE } from './methodOptions.ts';
import { PACKAGE_ROOT } from './package.ts';
import type { OptimizerSettings, RegularizationSettings, TrainingSettings } from './settings.ts';

const OPTIMIZER: Omit<OptimizerSettings, 'learningRate'> = {
  name: 'sgd',
  weightDecay: 0,
  momentum: 0.9,
  nesterov: false,
  betas: [0.9, 0.999],
  epsilon: 1e-8,
  amsgrad: false,
  semantics: 'pytorch',
  headScale: 1,
  layerDecay: 1,
  clipGradNorm: null,
  gradNorm: false,
  accumulate: 1,
  ema: null,
};

/** The same for both methods. */
const COMMON: Omit<TrainingSettings, 'optimizer' | 'regularization' | 'seed'> = {
  command: 'finetune',
  preset: 'modern',
  network: 'resnet20',
  head: 'pooled',
  weights: join(PACKAGE_ROOT, 'pretrained/resnet20-cifar10-airplane-bird-cat-horse-truck/weights.safetensors'),
  dataset: 'cifar10',
  classes: ['automobile', 'deer', 'dog', 'frog', 'ship'],
  trainPerClass: 100,
  trainFraction: null,
  labelNoise: 0.4,
  validation: null,
  trainOnValidation: false,
  evaluateOn: 'test',
  imageSize: null,
  mean: null,
  std: null,
  augment: 'none',
  randAugment: null,
  mix: { mixup: 0, cutmix: 0 },
  epochs: 15,
  batchSize: 32,
  schedule: { name: 'cosine', warmupEpochs: 0, final: 0, decayEvery: 20, decayFactor: 0.5 },
  labelSmoothing: 0,
  evaluateEvery: 0,
  logEvery: 0,
  dropLast: false,
};

export type MainJobMethod = 'none' | 'mars-pgm';
export const MAIN_JOB_METHODS: readonly MainJobMethod[] = ['none', 'mars-pgm'];
export const MAIN_JOB_EPOCHS = COMMON.epochs;

/** The same grid of learning rates was tried for both (docs/results/main-job.md); the radii are one guess, not searched. */
const CHOSEN: Readonly<Record<MainJobMethod, { learningRate: number; regularization: RegularizationSettings }>> = {
  none: { learningRate: 0.003, regularization: FREE },
  'mars-pgm': { learningRate: 0.01, regularization: { ...FREE, method: 'mars-pgm', extractor: 0.3, classifier: 3 } },
};

/** The main job under one method, by default at the learning rate that was chosen for it. */
export function mainJob(
  method: MainJobMethod,
  seed: number,
  learningRate = CHOSEN[method].learningRate,
): TrainingSettings {
  const { regularization } = CHOSEN[method];
  return { ...COMMON, regularization, optimizer: { ...OPTIMIZER, learningRate }, seed };
}
