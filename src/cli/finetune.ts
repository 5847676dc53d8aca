/** `marsgrad finetune`: pre-trained weights on new classes, free or held within a MARS ball. */
import { Command } from 'commander';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import { networkNameOf } from './model.ts';
import {
  addDataOptions,
  addDeviceOptions,
  addMethodOptions,
  addOutputOptions,
  addTrainingOptions,
  type FinetuneOptions,
  networkOption,
  type TrainingDefaults,
} from './options.ts';
import { runOrResume, trainingSettings } from './request.ts';
import type { TrainingSettings } from './settings.ts';
import { readWeightsFile } from './weights.ts';

const DEFAULTS: TrainingDefaults = {
  epochs: 30,
  batchSize: 32,
  lr: 0.01,
  nesterov: false,
  weightDecay: 0,
  schedule: 'cosine',
  augment: 'none',
};

const EXAMPLES = `
Examples:
  marsgrad finetune --network resnet20 --weights resnet20.th --dataset photos/ --method mars-pgm --radius-extractor 1 --radius-classifier 3
  marsgrad finetune --weights runs/source/weights.safetensors --dataset cifar10 --classes dog,frog --train-per-class 100 --json
  marsgrad finetune --resume runs/finetune-resnet20-photos-mars-pgm

A layer's MARS distance is its largest absolute row sum of (weights − pre-trained weights); the classifier's is measured from zero.
After every step each row outside its radius is scaled back onto it (Gouk, Hospedales and Pontil, ICLR 2021).`;

export function finetuneCommand(context: Context): Command {
  const command = new Command('finetune')
    .description('fine-tune pre-trained weights on new classes')
    .addHelpText('after', EXAMPLES);
  command
    .addOption(networkOption())
    .option('--weights <file>', "safetensors, or PyTorch's .pth, .pt, .th; nothing in them is executed");
  addMethodOptions(command);
  addDataOptions(command);
  addTrainingOptions(command, DEFAULTS);
  addDeviceOptions(command);
  addOutputOptions(command);
  return command.action(async (options: FinetuneOptions) => {
    await runOrResume(command, options, context, () => finetuneSettings(options));
  });
}

async function finetuneSettings(options: FinetuneOptions): Promise<TrainingSettings> {
  const { weights, method, radiusExtractor, radiusClassifier } = options;
  if (weights === undefined) throw new UsageError('finetune needs --weights: the file to begin from.');
  const hasRadius = radiusExtractor !== undefined || radiusClassifier !== undefined;
  if (method === 'none' && hasRadius)
    throw new UsageError('A radius means something with --method mars-pgm only; add it.');
  if (method === 'mars-pgm' && (radiusExtractor === undefined || radiusClassifier === undefined)) {
    throw new UsageError(
      '--method mars-pgm needs --radius-extractor and --radius-classifier. As a start: 1 and 3 for a ResNet-20, 7 and 20 for a ResNet-101.',
    );
  }
  const network = networkNameOf(options.network, await readWeightsFile(weights), 'finetune');
  const settings = trainingSettings('finetune', network, options);
  return {
    ...settings,
    weights,
    method,
    radiusExtractor: bounded(radiusExtractor),
    radiusClassifier: bounded(radiusClassifier),
  };
}

/** Infinity has no place in JSON. */
const bounded = (radius: number | undefined): number | null =>
  radius === undefined || radius === Number.POSITIVE_INFINITY ? null : radius;
