/** All that decides the result of a training run, as plain JSON: what `config.json` holds and `--resume` reads back. */
import {
  centerCrop,
  compose,
  normalize,
  randomCrop,
  randomHorizontalFlip,
  type Transform,
  toFloat,
} from '../data/index.ts';
import { type Preprocessing, preprocessingOf } from '../nn/index.ts';
import { constant, cosine, oneCycle, type Schedule, stepDecay, withWarmup } from '../optim/index.ts';
import { UsageError } from './errors.ts';

export const METHODS = ['none', 'mars-pgm'] as const;
export type Method = (typeof METHODS)[number];
export const AUGMENTATIONS = ['none', 'crop+flip'] as const;
export type Augmentation = (typeof AUGMENTATIONS)[number];
export const SCHEDULES = ['constant', 'step', 'cosine', 'one-cycle'] as const;
export type ScheduleName = (typeof SCHEDULES)[number];

export interface ScheduleSettings {
  readonly name: ScheduleName;
  /** Linear rise before the schedule, in epochs. */
  readonly warmupEpochs: number;
  /** Of `cosine`. */
  readonly final: number;
  /** Of `step`, in epochs. */
  readonly decayEvery: number;
  readonly decayFactor: number;
}

export interface TrainingSettings {
  readonly command: 'train' | 'finetune';
  readonly network: string;
  /** Null: random initial weights. */
  readonly weights: string | null;
  readonly dataset: string;
  /** Null: all. */
  readonly classes: readonly string[] | null;
  /** Null: all. */
  readonly trainPerClass: number | null;
  readonly labelNoise: number;
  /** Share of the training images held out; null: none. */
  readonly validation: number | null;
  /** What the command line said; null: as the weights or the network say. */
  readonly imageSize: number | null;
  readonly mean: readonly [number, number, number] | null;
  readonly std: readonly [number, number, number] | null;
  readonly augment: Augmentation;
  readonly method: Method;
  /** MARS radii; null: unbounded. */
  readonly radiusExtractor: number | null;
  readonly radiusClassifier: number | null;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: 'sgd';
  readonly learningRate: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly schedule: ScheduleSettings;
  readonly labelSmoothing: number;
  readonly seed: number;
  readonly evaluateEvery: number;
  readonly logEvery: number;
  /** Leave out an epoch's last batch where it is not full. */
  readonly dropLast: boolean;
}

/** The learning rate of every step. */
export function scheduleOf(settings: TrainingSettings, stepsPerEpoch: number): Schedule {
  const { learningRate, epochs, schedule } = settings;
  const warmup = Math.round(schedule.warmupEpochs * stepsPerEpoch);
  const total = epochs * stepsPerEpoch - warmup;
  if (total < 1) {
    throw new UsageError(`--warmup ${schedule.warmupEpochs} leaves nothing of ${epochs} epochs; shorten it.`);
  }
  return withWarmup(afterWarmup(schedule, learningRate, total, stepsPerEpoch), warmup);
}

function afterWarmup(schedule: ScheduleSettings, learningRate: number, total: number, stepsPerEpoch: number): Schedule {
  switch (schedule.name) {
    case 'constant':
      return constant(learningRate);
    case 'step':
      return stepDecay({
        initial: learningRate,
        every: schedule.decayEvery * stepsPerEpoch,
        factor: schedule.decayFactor,
      });
    case 'cosine':
      return cosine({ initial: learningRate, final: schedule.final, total });
    case 'one-cycle':
      if (total < 2) throw new UsageError('--schedule one-cycle needs two steps at least; choose --schedule constant.');
      return oneCycle({ peak: learningRate, total });
  }
}

/** What the command line says, else what the weights were trained with, else what the network's published weights expect. */
export function resolvePreprocessing(
  said: Pick<TrainingSettings, 'network' | 'imageSize' | 'mean' | 'std'>,
  stored: Preprocessing | undefined,
): Preprocessing {
  const base = stored ?? preprocessingOf(said.network);
  const size = said.imageSize ?? base.size;
  return {
    resize: base.resize === null ? null : Math.round((size * base.resize) / base.size),
    size,
    mean: said.mean ?? base.mean,
    deviation: said.std ?? base.deviation,
  };
}

/** The side to which images are brought when the data set is opened: the middle square of what has that shorter side. */
export const openingSize = ({ resize, size }: Preprocessing): number => resize ?? size;

/** From a square of `openingSize` to the network's input. */
export function transformOf({ resize, size, mean, deviation }: Preprocessing, augment: Augmentation): Transform {
  const margin = resize === null ? { padding: Math.max(1, Math.round(size / 8)) } : {};
  const steps = augment === 'none' ? [centerCrop(size)] : [randomCrop(size, margin), randomHorizontalFlip()];
  return compose([...steps, toFloat(), normalize(mean, deviation)]);
}
