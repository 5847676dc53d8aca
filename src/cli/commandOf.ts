/** From the settings of a run back to the command line that makes it. */
import type { Command } from 'commander';
import type { OptionValues } from '../experiments/recipe.ts';
import type { Context } from './context.ts';
import { finetuneCommand } from './finetune.ts';
import { argumentsOf } from './jobs/finetuneOptions.ts';
import { factsOf } from './methods.ts';
import type { TrainingSettings } from './settings.ts';
import { trainCommand } from './train.ts';

/** `marsgrad finetune …`, for a shell; options at their defaults are left out. `device`: as in config.json. */
export function commandOf(settings: TrainingSettings, device: string): string {
  const words = argumentsOf({ ...valuesOf(settings), device });
  return ['marsgrad', settings.command, ...words.map(quoted)].join(' ');
}

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Options by their long names that make these settings. */
export function valuesOf(settings: TrainingSettings): OptionValues {
  const command = settings.command === 'train' ? trainCommand(NOBODY) : finetuneCommand(NOBODY);
  const all: Readonly<Record<string, unknown>> = {
    ...dataValues(settings),
    ...(settings.command === 'finetune' && methodValues(settings)),
    ...updateValues(settings),
  };
  // A preset's own values are told too: they stand above its defaults.
  const isDefault = (name: string, value: unknown) =>
    settings.preset === 'modern' && JSON.stringify(defaultOf(command, name)) === JSON.stringify(value);
  const told = Object.entries(all).filter(([name, value]) => value !== null && !isDefault(name, value));
  // Some can be told to be true alone, some to be false alone.
  const can = ([name, value]: [string, unknown]) =>
    findOption(command, value === false ? `--no-${name}` : `--${name}`) !== undefined;
  return Object.fromEntries(told.filter(can)) as OptionValues;
}

const NOBODY: Context = { streams: process, signal: new AbortController().signal };

const findOption = (command: Command, long: string) => command.options.find((option) => option.long === long);

const defaultOf = (command: Command, name: string): unknown => findOption(command, `--${name}`)?.defaultValue;

function dataValues(settings: TrainingSettings) {
  const { preset, network, head, weights, dataset, classes, trainOnValidation, randAugment, mix, command } = settings;
  const { imageSize, mean, std, trainPerClass, trainFraction, labelNoise, validation, augment, seed } = settings;
  return {
    ...(command === 'finetune' && { preset, head, weights, 'random-init': weights === null, test: trainOnValidation }),
    network,
    dataset,
    classes,
    'image-size': imageSize,
    mean,
    std,
    'train-per-class': trainPerClass,
    'train-fraction': trainFraction,
    'label-noise': labelNoise,
    validation,
    augment,
    'rand-augment': randAugment,
    mixup: mix.mixup,
    cutmix: mix.cutmix,
    seed,
  };
}

function methodValues({ regularization, preset }: TrainingSettings) {
  const { method, extractor, classifier, projection, relative, depthFactor, headAnchor, ...more } = regularization;
  const facts = factsOf(method);
  const strength = (part: 'extractor' | 'classifier', value: number | null) => {
    if (facts[part] === null) return {};
    return facts[part] === 'radius' ? { [`radius-${part}`]: value ?? 'inf' } : { [`reg-${part}`]: value };
  };
  return {
    method,
    ...strength('extractor', extractor),
    ...strength('classifier', classifier),
    projection,
    'relative-radius': relative,
    'depth-factor': depthFactor,
    'head-anchor': headAnchor,
    'depthwise-rows': more.depthwiseRows === (preset === 'authors' ? 'kernel' : 'channel') ? null : more.depthwiseRows,
    'batch-norm': more.batchNorm,
    'reg-norm': more.headNorm === 'inf-op' ? null : more.headNorm,
    'delta-weights': more.deltaWeights,
    'delta-cache': more.deltaCache,
    'ftp-k': more.ftpK,
    'tpgm-steps': more.tpgmSteps,
    'probe-epochs': method === 'lp-ft' ? more.probeEpochs : null,
    'freeze-frac': more.freezeFraction,
  };
}

function updateValues(settings: TrainingSettings) {
  const { epochs, batchSize, dropLast, optimizer, schedule, labelSmoothing, evaluateEvery, logEvery } = settings;
  return {
    epochs,
    'batch-size': batchSize,
    accumulate: optimizer.accumulate,
    'drop-last': dropLast,
    optimizer: optimizer.name,
    amsgrad: optimizer.amsgrad,
    lr: optimizer.learningRate,
    'lr-head-scale': optimizer.headScale,
    'layer-decay': optimizer.layerDecay,
    momentum: optimizer.momentum,
    nesterov: optimizer.nesterov,
    'weight-decay': optimizer.weightDecay,
    'clip-grad-norm': optimizer.clipGradNorm,
    'grad-norm': optimizer.gradNorm,
    ema: optimizer.ema,
    schedule: schedule.name,
    'lr-final': schedule.final,
    'lr-decay-every': schedule.decayEvery,
    'lr-decay-factor': schedule.decayFactor,
    warmup: schedule.warmupEpochs,
    'label-smoothing': labelSmoothing,
    'evaluate-every': evaluateEvery,
    'log-every': logEvery,
  };
}
