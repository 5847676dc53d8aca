/** The settings of the main job: what `marsgrad demo` runs, and what `bench/mainJob/` repeats over learning rates and seeds. */
import { join } from 'node:path';
import { PACKAGE_ROOT } from './package.ts';
import type { TrainingSettings } from './settings.ts';

type MethodSettings = Pick<TrainingSettings, 'method' | 'learningRate' | 'radiusExtractor' | 'radiusClassifier'>;

/** The same for both methods. */
export const MAIN_JOB: Omit<TrainingSettings, keyof MethodSettings | 'seed'> = {
  command: 'finetune',
  network: 'resnet20',
  weights: join(PACKAGE_ROOT, 'pretrained/resnet20-cifar10-airplane-bird-cat-horse-truck/weights.safetensors'),
  dataset: 'cifar10',
  classes: ['automobile', 'deer', 'dog', 'frog', 'ship'],
  trainPerClass: 100,
  labelNoise: 0.4,
  validation: null,
  imageSize: null,
  mean: null,
  std: null,
  augment: 'none',
  epochs: 15,
  batchSize: 32,
  optimizer: 'sgd',
  momentum: 0.9,
  nesterov: false,
  weightDecay: 0,
  schedule: { name: 'cosine', warmupEpochs: 0, final: 0, decayEvery: 20, decayFactor: 0.5 },
  labelSmoothing: 0,
  evaluateEvery: 0,
  logEvery: 0,
  dropLast: false,
};

/** The same grid of learning rates was tried for both (docs/results/main-job.md); the radii are one guess, not searched. */
export const MAIN_JOB_METHODS: readonly MethodSettings[] = [
  { method: 'none', learningRate: 0.003, radiusExtractor: null, radiusClassifier: null },
  { method: 'mars-pgm', learningRate: 0.01, radiusExtractor: 0.3, radiusClassifier: 3 },
];
