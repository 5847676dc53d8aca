/** `marsgrad finetune`: pre-trained weights on new classes, by any of the paper's methods and those that it is compared with. */
import { Command, Option } from 'commander';
import { HEAD_KINDS, type HeadKind, modelNames } from '../nn/index.ts';
import { normRows, quietRow } from './authorsOutput.ts';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import { addMethodOptions, METHOD_HELP, type MethodOptions, regularizationOf } from './methodOptions.ts';
import { networkNameOf } from './model.ts';
import {
  addDataOptions,
  addDeviceOptions,
  addOutputOptions,
  addTrainingOptions,
  option,
  type TrainingDefaults,
  type TrainingOptions,
} from './options.ts';
import { choice, number, wholeNumber } from './parse.ts';
import { withPreset } from './presets.ts';
import { runOrResume, trainingSettings } from './request.ts';
import { PRESETS, type Preset, type TrainingSettings } from './settings.ts';
import { describeSummary, type TrainingResult } from './trainingRun.ts';
import { readWeightsFile, WEIGHTS_HELP } from './weights.ts';

export interface FinetuneOptions extends TrainingOptions, MethodOptions {
  readonly preset: Preset;
  readonly weights?: string;
  readonly head: HeadKind;
  readonly randomInit: boolean;
  readonly test: boolean;
  readonly quiet: boolean;
  readonly normHist: boolean;
  readonly trainFrac?: number;
  readonly lrInit?: number;
  readonly lrDropFreq?: number;
  readonly lrDropRate?: number;
}

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
Methods:
${METHOD_HELP}

Examples:
  marsgrad finetune --network resnet20 --weights resnet20.th --dataset photos/ --method mars-pgm --radius-extractor 1 --radius-classifier 3
  marsgrad finetune --weights runs/source/weights.safetensors --dataset cifar10 --classes dog,frog --train-per-class 100 --json
  marsgrad finetune --weights resnet101.pth --network resnet101 --dataset flowers/ --preset authors --reg-extractor 6.58 --reg-classifier 7.61 --test --quiet
  marsgrad finetune --weights resnet20.th --network resnet20 --dataset photos/ --method l2-sp --reg-extractor 0.01 --reg-classifier 0.01
  marsgrad finetune --resume runs/finetune-resnet20-photos-mars-pgm

A layer's MARS distance is its largest absolute row sum of (weights − pre-trained weights); the classifier's is measured from zero.
After every step each row outside its radius is scaled back onto it (Gouk, Hospedales and Pontil, ICLR 2021).
Every method, with its equation and what differs from the authors' code: docs/method.md.`;

export function finetuneCommand(context: Context): Command {
  const command = new Command('finetune')
    .description('fine-tune pre-trained weights on new classes')
    .addHelpText('after', EXAMPLES);
  addFinetuneOptions(command);
  addOutputOptions(command);
  return command.action(async (options: FinetuneOptions) => {
    const { quiet: isQuiet, normHist } = options;
    const describe = (result: TrainingResult): string => {
      const rows = [isQuiet && quietRow(result), normHist && normRows(result.distances)].filter(Boolean);
      return rows.length > 0 ? rows.join('\n') : describeSummary(result.summary);
    };
    await runOrResume(command, options, context, () => settingsOf(command, options), { isQuiet, describe });
  });
}

/** All options of the command but those of its output: whatever runs many fine-tunings takes them too. */
export function addFinetuneOptions(command: Command): void {
  command.optionsGroup('Network:');
  command
    .addOption(
      option(
        '--preset <name>',
        "modern, or authors: the paper's own settings (docs/method.md)",
        choice(PRESETS),
      ).default(PRESETS[0]),
    )
    .addOption(option('--network <name>', `one of ${modelNames().join(', ')}`, networkName))
    .option('--weights <file>', WEIGHTS_HELP)
    .addOption(option('--head <kind>', HEAD_KINDS.join(', '), choice(HEAD_KINDS)).default(HEAD_KINDS[0]));
  addMethodOptions(command);
  addDataOptions(command);
  addTrainingOptions(command, DEFAULTS);
  addAuthorsOptions(command);
  addDeviceOptions(command);
}

/** What `options` of `command` say; `changed` stand in the place of theirs, by the names of `FinetuneOptions`. */
export const settingsOf = (
  command: Command,
  options: FinetuneOptions,
  changed: Partial<FinetuneOptions> = {},
): Promise<TrainingSettings> => finetuneSettings(withAuthorsNames({ ...withPreset(command, options), ...changed }));

const enb0 = 'efficientnet_b0';
const networkName = (text: string): string => choice(modelNames())(text === 'enb0' ? enb0 : text);

function addAuthorsOptions(command: Command): void {
  const options = [
    option('--lr-init <rate>', 'is --lr', number(0)),
    option('--lr-drop-freq <epochs>', 'is --schedule step --lr-decay-every', wholeNumber(1)),
    option('--lr-drop-rate <f>', 'is --schedule step --lr-decay-factor', number(0, 1)),
    option('--train-frac <f>', 'is --train-fraction', number(0, 1)),
    new Option('--random-init', 'random weights instead of --weights; distances are measured from them').default(false),
    new Option('--test', 'train on the validation images too, and test at the end').default(false),
    new Option(
      '--quiet',
      'one line of CSV: network,method,norm,reg_extractor,reg_classifier,loss,acc,val_loss,val_acc',
    ).default(false),
    new Option('--norm-hist', 'in the end, MARS and Frobenius distance of every layer').default(false),
  ];
  for (const one of options) command.addOption(one.helpGroup("The authors' names:"));
}

/** The authors' names for what has a name of ours. */
function withAuthorsNames(options: FinetuneOptions): FinetuneOptions {
  const { lrInit, lrDropFreq, lrDropRate, trainFrac } = options;
  const drops = lrDropFreq !== undefined || lrDropRate !== undefined;
  return {
    ...options,
    ...(lrInit !== undefined && { lr: lrInit }),
    ...(drops && { schedule: 'step' }),
    ...(lrDropFreq !== undefined && { lrDecayEvery: lrDropFreq }),
    ...(lrDropRate !== undefined && { lrDecayFactor: lrDropRate }),
    ...(trainFrac !== undefined && { trainFraction: trainFrac }),
  };
}

async function finetuneSettings(options: FinetuneOptions): Promise<TrainingSettings> {
  const { weights, preset, randomInit, epochs } = options;
  if (weights === undefined && !randomInit)
    throw new UsageError('finetune needs --weights: the file to begin from (or --random-init).');
  if (weights !== undefined && randomInit) throw new UsageError('--weights or --random-init: leave one of them out.');
  const file = weights === undefined ? null : await readWeightsFile(weights);
  const network = networkNameOf(options.network, file, 'finetune');
  const regularization = regularizationOf(options, preset, epochs);
  const settings = trainingSettings('finetune', network, options);
  return {
    ...settings,
    preset,
    head: options.head,
    weights: weights ?? null,
    regularization,
    trainOnValidation: options.test,
    ...(preset === 'authors' && !options.test
      ? { evaluateOn: 'val', evaluateEvery: 0 }
      : { evaluateOn: 'test', evaluateEvery: settings.evaluateEvery }),
    optimizer: { ...settings.optimizer, ...(preset === 'authors' && { semantics: 'keras', epsilon: 1e-7 }) },
  };
}
