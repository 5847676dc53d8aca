/** `marsgrad train`: a network from random weights. */
import { Command } from 'commander';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import {
  addDataOptions,
  addDeviceOptions,
  addOutputOptions,
  addTrainingOptions,
  networkOption,
  type TrainingDefaults,
  type TrainingOptions,
} from './options.ts';
import { runOrResume, trainingSettings } from './request.ts';

const DEFAULTS: TrainingDefaults = {
  epochs: 30,
  batchSize: 128,
  lr: 0.2,
  nesterov: true,
  weightDecay: 5e-4,
  schedule: 'one-cycle',
  augment: 'crop+flip',
};

const EXAMPLES = `
Examples:
  marsgrad train --network resnet20 --dataset cifar10
  marsgrad train --network resnet20 --dataset cifar10 --classes airplane,bird,cat,horse,truck --epochs 12 --out runs/source
  marsgrad train --resume runs/source`;

export function trainCommand(context: Context): Command {
  const command = new Command('train')
    .description('train a network from random weights')
    .addHelpText('after', EXAMPLES);
  command.addOption(networkOption());
  addDataOptions(command);
  addTrainingOptions(command, DEFAULTS);
  addDeviceOptions(command);
  addOutputOptions(command);
  return command.action(async (options: TrainingOptions) => {
    await runOrResume(command, options, context, async () => {
      if (options.network === undefined) throw new UsageError('train needs --network, such as resnet20.');
      return trainingSettings('train', options.network, options);
    });
  });
}
