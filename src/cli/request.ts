/** From options to a run: what `train` and `finetune` do alike. */
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { withDashboard } from './dashboard.ts';
import { UsageError } from './errors.ts';
import { FREE } from './methodOptions.ts';
import type { TrainingOptions } from './options.ts';
import { Output } from './output.ts';
import { freePath } from './runFolder.ts';
import type { OptimizerSettings, TrainingSettings } from './settings.ts';
import { describeSummary, resumeRun, startRun, type TrainingResult } from './trainingRun.ts';

/** Settings of a training from random weights, to which `finetune` adds its own. */
export function trainingSettings(
  command: TrainingSettings['command'],
  network: string,
  options: TrainingOptions,
): TrainingSettings {
  if (options.dataset === undefined)
    throw new UsageError(`${command} needs --dataset: cifar10, mnist, or a folder of class folders.`);
  return {
    command,
    preset: 'modern',
    network,
    head: 'pooled',
    weights: null,
    dataset: options.dataset,
    classes: options.classes ?? null,
    trainPerClass: options.trainPerClass ?? null,
    trainFraction: options.trainFraction ?? null,
    labelNoise: options.labelNoise,
    validation: options.validation ?? null,
    trainOnValidation: false,
    evaluateOn: 'test',
    imageSize: options.imageSize ?? null,
    mean: options.mean ?? null,
    std: options.std ?? null,
    augment: options.augment,
    randAugment: randAugmentOf(options),
    mix: { mixup: options.mixup, cutmix: options.cutmix },
    regularization: FREE,
    epochs: options.epochs,
    batchSize: options.batchSize,
    optimizer: optimizerSettings(options),
    schedule: {
      name: options.schedule,
      warmupEpochs: options.warmup,
      final: options.lrFinal,
      decayEvery: options.lrDecayEvery,
      decayFactor: options.lrDecayFactor,
    },
    labelSmoothing: options.labelSmoothing,
    seed: options.seed,
    evaluateEvery: options.evaluateEvery,
    logEvery: options.logEvery,
    dropLast: options.dropLast,
  };
}

function randAugmentOf({ randAugment, augment }: TrainingOptions): TrainingSettings['randAugment'] {
  if (randAugment && augment === 'none')
    throw new UsageError('--rand-augment goes with --augment crop+flip or resized-crop+flip; add one of them.');
  return randAugment ?? null;
}

function optimizerSettings(options: TrainingOptions): OptimizerSettings {
  return {
    name: options.optimizer,
    learningRate: options.lr,
    weightDecay: options.weightDecay,
    momentum: options.momentum,
    nesterov: options.nesterov,
    betas: [0.9, 0.999],
    epsilon: 1e-8,
    amsgrad: options.amsgrad,
    semantics: 'pytorch',
    headScale: options.lrHeadScale,
    layerDecay: options.layerDecay,
    clipGradNorm: options.clipGradNorm ?? null,
    gradNorm: options.gradNorm,
    accumulate: options.accumulate,
    ema: options.ema ?? null,
  };
}

/** Options that may accompany `--resume`: they do not change the result. */
const ALLOWED_WITH_RESUME = new Set(['resume', 'json', 'debug', 'threads', 'quiet', 'normHist', 'dashboard']);

/** Runs what `settings` says, or goes on with `--resume`; `describe` is what people read in the end. */
export async function runOrResume(
  command: Command,
  options: TrainingOptions,
  context: Context,
  settings: () => Promise<TrainingSettings>,
  { isQuiet = false, describe = ({ summary }: TrainingResult) => describeSummary(summary) } = {},
): Promise<void> {
  const output = new Output(options.json, context.streams, isQuiet);
  const { signal } = context;
  try {
    const { threads } = options;
    const device = { device: options.device, ...(threads !== undefined && { threads }) };
    if (options.resume !== undefined) {
      checkOnlyResume(command);
      const path = options.resume;
      const resume = () => resumeRun(path, { device, output, signal });
      output.result(describe(await withDashboard(options.dashboard, path, output, resume)));
      return;
    }
    const chosen = await settings();
    const out = options.out ?? freePath(`runs/${nameOf(chosen)}`);
    const start = () => startRun({ settings: chosen, device, out, output, signal, record: options.record });
    output.result(describe(await withDashboard(options.dashboard, out, output, start)));
  } finally {
    output.close();
  }
}

function checkOnlyResume(command: Command): void {
  const other = command.options.find(
    (option) =>
      command.getOptionValueSource(option.attributeName()) === 'cli' &&
      !ALLOWED_WITH_RESUME.has(option.attributeName()),
  );
  if (other)
    throw new UsageError(`--resume goes on with the run's own settings; leave out ${other.long ?? other.flags}.`);
}

function nameOf({ command, network, dataset, regularization: { method } }: TrainingSettings): string {
  const parts = [command, network, basename(resolve(dataset))];
  return (command === 'train' ? parts : [...parts, method]).join('-');
}
