/**
 * `--preset`: what the options of `finetune` are where the command line does not say.
 *
 *   modern    the weights' own preprocessing, every image counted, SGD with a cosine: what works
 *   authors   what the paper's authors ran (their code, 2021): raw 0 … 255 pixels resized to a square by the nearest neighbour, no
 *             augmentation, a flattened head without pooling, Adam with AMSGrad in Keras's form, learning rate 10⁻⁴ halved every
 *             20 of 30 epochs, batches of 128 of which the last, partial one is dropped, in evaluation too
 */
import type { Command } from 'commander';
import type { FinetuneOptions } from './finetune.ts';
import type { Preset } from './settings.ts';

const AUTHORS: Partial<FinetuneOptions> = {
  epochs: 30,
  batchSize: 128,
  optimizer: 'adam',
  amsgrad: true,
  lr: 1e-4,
  schedule: 'step',
  lrDecayEvery: 20,
  lrDecayFactor: 0.5,
  augment: 'none',
  dropLast: true,
  head: 'flattened',
};

const DEFAULTS: Readonly<Record<Preset, Partial<FinetuneOptions>>> = { modern: {}, authors: AUTHORS };

/** `options` with the preset's values in the place of those that nobody gave. */
export function withPreset(command: Command, options: FinetuneOptions): FinetuneOptions {
  const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli';
  const own = Object.entries(DEFAULTS[options.preset]).filter(([name]) => !isGiven(name));
  return { ...options, ...Object.fromEntries(own) };
}
