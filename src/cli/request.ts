/** From options to a run: what `train` and `finetune` do alike. */
import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import type { TrainingOptions } from './options.ts';
import { Output } from './output.ts';
import { freePath } from './runFolder.ts';
import type { TrainingSettings } from './settings.ts';
import { describeSummary, resumeRun, startRun } from './trainingRun.ts';

/** Settings without weights and projection, which `finetune` adds. */
export function trainingSettings(
  command: TrainingSettings['command'],
  network: string,
  options: TrainingOptions,
): TrainingSettings {
  if (options.dataset === undefined)
    throw new UsageError(`${command} needs --dataset: cifar10, or a folder of class folders.`);
  return {
    command,
    network,
    weights: null,
    dataset: options.dataset,
    classes: options.classes ?? null,
    trainPerClass: options.trainPerClass ?? null,
    labelNoise: options.labelNoise,
    validation: options.validation ?? null,
    imageSize: options.imageSize ?? null,
    mean: options.mean ?? null,
    std: options.std ?? null,
    augment: options.augment,
    method: 'none',
    radiusExtractor: null,
    radiusClassifier: null,
    epochs: options.epochs,
    batchSize: options.batchSize,
    optimizer: options.optimizer,
    learningRate: options.lr,
    momentum: options.momentum,
    nesterov: options.nesterov,
    weightDecay: options.weightDecay,
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

/** Options that may accompany `--resume`: they do not change the result. */
const ALLOWED_WITH_RESUME = new Set(['resume', 'json', 'debug', 'threads']);

/** Runs what `settings` says, or goes on with `--resume`. */
export async function runOrResume(
  command: Command,
  options: TrainingOptions,
  context: Context,
  settings: () => Promise<TrainingSettings>,
): Promise<void> {
  const output = new Output(options.json, context.streams);
  const { signal } = context;
  try {
    const { threads } = options;
    const device = { device: options.device, ...(threads !== undefined && { threads }) };
    if (options.resume !== undefined) {
      checkOnlyResume(command);
      const { summary } = await resumeRun(options.resume, { device, output, signal });
      output.result(describeSummary(summary));
      return;
    }
    const chosen = await settings();
    const out = options.out ?? freePath(`runs/${nameOf(chosen)}`);
    const { summary } = await startRun({ settings: chosen, device, out, output, signal });
    output.result(describeSummary(summary));
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

function nameOf({ command, network, dataset, method }: TrainingSettings): string {
  const parts = [command, network, basename(resolve(dataset))];
  return (command === 'train' ? parts : [...parts, method]).join('-');
}
