/** What follows from the settings of a run: its schedule, and how images become inputs. */
import {
  centerCrop,
  compose,
  normalize,
  randAugment,
  randomCrop,
  randomHorizontalFlip,
  randomResizedCrop,
  resize as resizeImage,
  type Transform,
  toFloat,
  toRaw,
} from '../data/index.ts';
import { type Preprocessing, preprocessingOf } from '../nn/index.ts';
import { constant, cosine, oneCycle, type Schedule, stepDecay, withWarmup } from '../optim/index.ts';
import type { Augmentation, ScheduleSettings, TrainingSettings } from '../train/settings.ts';
import { UsageError } from './errors.ts';

export * from '../train/settings.ts';

/** The learning rate of every step. */
export function scheduleOf(settings: TrainingSettings, stepsPerEpoch: number): Schedule {
  const {
    epochs,
    schedule,
    optimizer: { learningRate },
  } = settings;
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

type Opening = Pick<TrainingSettings, 'preset' | 'augment'>;

/**
 * How images are brought to one size when the data set is opened: the side, and whether as a square cut from the middle or stretched
 * by the nearest neighbour (the authors). Null: they keep their size until they are transformed.
 */
export function openingOf(
  { resize, size }: Preprocessing,
  { preset, augment }: Opening,
): { readonly imageSize: number; readonly fit: 'square' | 'stretch' } | null {
  if (preset === 'authors') return { imageSize: size, fit: 'stretch' };
  return augment === 'resized-crop+flip' ? null : { imageSize: resize ?? size, fit: 'square' };
}

/** From an image as it was opened to the network's input, in training (`augment`) or evaluation (`none`). */
export function transformOf(
  { resize, size, mean, deviation }: Preprocessing,
  augment: Augmentation,
  { preset, augment: opened, randAugment: drawn = null }: Opening & Partial<Pick<TrainingSettings, 'randAugment'>>,
): Transform {
  const floats = preset === 'authors' ? [toRaw()] : [toFloat(), normalize(mean, deviation)];
  const changed = drawn === null ? [] : [randAugment(...drawn)];
  if (augment === 'resized-crop+flip')
    return compose([randomResizedCrop(size), randomHorizontalFlip(), ...changed, ...floats]);
  if (augment === 'crop+flip') {
    const margin = resize === null ? { padding: Math.max(1, Math.round(size / 8)) } : {};
    return compose([randomCrop(size, margin), randomHorizontalFlip(), ...changed, ...floats]);
  }
  const shrunk = opened === 'resized-crop+flip' && preset !== 'authors' ? [resizeImage(resize ?? size)] : [];
  return compose([...shrunk, centerCrop(size), ...floats]);
}
