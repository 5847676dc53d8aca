/** Every option that several commands share, defined once. */
import { type Command, Option } from 'commander';
import { DEVICE_CHOICES, type DeviceChoice } from '../devices/choose.ts';
import { modelNames } from '../nn/index.ts';
import type { RecordPlan } from '../train/index.ts';
import { type DashboardOption, dashboardOption } from './dashboard.ts';
import { choice, list, number, pair, recordPlan, rgb, wholeNumber } from './parse.ts';
import {
  AUGMENTATIONS,
  type Augmentation,
  OPTIMIZERS,
  type OptimizerName,
  SCHEDULES,
  type ScheduleName,
} from './settings.ts';

export interface OutputOptions {
  readonly json: boolean;
}
export interface DeviceOptions {
  readonly device: DeviceChoice;
  readonly threads?: number;
}
export interface DataOptions {
  readonly dataset?: string;
  readonly classes?: string[];
  readonly imageSize?: number;
  readonly mean?: [number, number, number];
  readonly std?: [number, number, number];
}
export interface TrainingOptions extends OutputOptions, DeviceOptions, DataOptions, DashboardOption {
  readonly network?: string;
  readonly trainPerClass?: number;
  readonly trainFraction?: number;
  readonly labelNoise: number;
  readonly validation?: number;
  readonly augment: Augmentation;
  readonly randAugment?: [number, number];
  readonly mixup: number;
  readonly cutmix: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly accumulate: number;
  readonly optimizer: OptimizerName;
  readonly amsgrad: boolean;
  readonly lr: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly lrHeadScale: number;
  readonly layerDecay: number;
  readonly clipGradNorm?: number;
  readonly gradNorm: boolean;
  readonly ema?: number;
  readonly schedule: ScheduleName;
  readonly lrFinal: number;
  readonly lrDecayEvery: number;
  readonly lrDecayFactor: number;
  readonly warmup: number;
  readonly labelSmoothing: number;
  readonly seed: number;
  readonly evaluateEvery: number;
  readonly logEvery: number;
  readonly dropLast: boolean;
  readonly record: RecordPlan;
  readonly out?: string;
  readonly resume?: string;
}

export const option = <T>(flags: string, description: string, parser: (text: string) => T): Option =>
  new Option(flags, description).argParser(parser);

export const networkOption = (): Option =>
  option('--network <name>', `one of ${modelNames().join(', ')}`, choice(modelNames()));

export function addOutputOptions(command: Command): Command {
  command.optionsGroup('Output:');
  return command
    .option('--json', 'machine output: one JSON object per line on stdout, the last one the summary', false)
    .option('--debug', 'show the stack of an error', false);
}

export function addDeviceOptions(command: Command): Command {
  command.optionsGroup('Device:');
  return command
    .addOption(option('--device <kind>', DEVICE_CHOICES.join(', '), choice(DEVICE_CHOICES)).default('auto'))
    .addOption(
      option(
        '--threads <n>',
        'of the CPU device; changes the time, never the result (default: all cores)',
        wholeNumber(1),
      ),
    );
}

export function addDataOptions(command: Command): Command {
  command.optionsGroup('Data:');
  return command
    .option(
      '--dataset <name|folder>',
      'cifar10, mnist, or ROOT/{train,val,test}/<class>/<image>, or ROOT/<class>/<image>',
    )
    .addOption(option('--classes <a,b,c>', 'only these classes, labelled in this order', list))
    .addOption(
      option('--image-size <n>', 'side of the square input (default: what the network expects)', wholeNumber(8)),
    )
    .addOption(option('--mean <r,g,b>', 'subtracted from channels in [0, 1] (default: as the weights say)', rgb))
    .addOption(option('--std <r,g,b>', 'channels are divided by it (default: as the weights say)', rgb));
}

/** What `train` and `finetune` do differently where nothing is said. */
export interface TrainingDefaults {
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
  readonly schedule: ScheduleName;
  readonly augment: Augmentation;
}

export function addTrainingOptions(command: Command, defaults: TrainingDefaults): Command {
  addSelectionOptions(command);
  addAugmentationOptions(command, defaults);
  addOptimizerOptions(command, defaults);
  addScheduleOptions(command, defaults);
  command.optionsGroup('Run:');
  return command
    .addOption(option('--label-smoothing <e>', 'ε of smoothed targets', share).default(0))
    .addOption(
      option('--evaluate-every <n>', 'epochs between looks at the validation images; 0: never', wholeNumber(0)).default(
        1,
      ),
    )
    .addOption(
      option('--log-every <n>', 'steps between two lines of the log; 0: epochs only', wholeNumber(0)).default(50),
    )
    .addOption(recordOption())
    .option('--out <run>', 'the run folder to make (default: a new one under runs/)')
    .option('--resume <run>', 'go on with a stopped run, with its own settings')
    .addOption(dashboardOption());
}

/** Which steps are recorded where nothing is said. */
const DEFAULT_RECORD = 'first,last';

export const recordOption = (byDefault = DEFAULT_RECORD): Option =>
  option(
    '--record <steps>',
    'steps kept for `marsgrad audit`: a list such as first,last,every:50,17, or none',
    recordPlan,
  ).default(recordPlan(byDefault), byDefault);

const share = number(0, 1);

function addAugmentationOptions(command: Command, defaults: TrainingDefaults): void {
  command.optionsGroup('Augmentation:');
  command
    .addOption(
      option(
        '--augment <kind>',
        `${AUGMENTATIONS.join(', ')}; crop: at random after a border of 1/8; resized-crop: a random part of any size`,
        choice(AUGMENTATIONS),
      ).default(defaults.augment),
    )
    .addOption(option('--rand-augment <n,m>', 'RandAugment: so many operations at this magnitude (0 … 30)', pair))
    .addOption(option('--mixup <alpha>', 'mixes pairs of images, shares drawn from Beta(α, α)', number(0)).default(0))
    .addOption(option('--cutmix <alpha>', 'pastes rectangles, areas drawn from Beta(α, α)', number(0)).default(0));
}

function addOptimizerOptions(command: Command, defaults: TrainingDefaults): void {
  command.optionsGroup('Update:');
  command
    .addOption(option('--epochs <n>', 'passes over the training images', wholeNumber(1)).default(defaults.epochs))
    .addOption(option('--batch-size <n>', 'images per step', wholeNumber(1)).default(defaults.batchSize))
    .addOption(
      option('--accumulate <n>', 'batches per update; BatchNorm sees one at a time', wholeNumber(1)).default(1),
    )
    .addOption(
      new Option('--drop-last', 'leave out the last training batch of an epoch where it is not full').default(false),
    )
    .addOption(option('--optimizer <name>', OPTIMIZERS.join(', '), choice(OPTIMIZERS)).default('sgd'))
    .addOption(new Option('--amsgrad', 'of adam and adamw').default(false))
    .addOption(option('--lr <rate>', 'learning rate (the peak of the schedule)', number(0)).default(defaults.lr))
    .addOption(option('--lr-head-scale <f>', "the classifier's learning rate over the others'", number(0)).default(1))
    .addOption(option('--layer-decay <f>', "a block's learning rate over the next one's", number(0, 1)).default(1))
    .addOption(option('--momentum <m>', 'of sgd', share).default(0.9))
    .addOption(new Option('--nesterov', "Nesterov's momentum").default(defaults.nesterov))
    .addOption(new Option('--no-nesterov', 'plain momentum'))
    .addOption(
      option('--weight-decay <l>', 'λ of λ/2·‖w‖²; of adamw: decoupled', number(0)).default(defaults.weightDecay),
    )
    .addOption(option('--clip-grad-norm <n>', 'largest L2 norm of the gradient', number(0)))
    .option('--grad-norm', 'log the L2 norm of the gradient', false)
    .addOption(option('--ema <decay>', 'test and save an average of the weights: d·average + (1 − d)·weights', share));
}

function addScheduleOptions(command: Command, defaults: TrainingDefaults): void {
  command.optionsGroup('Learning rate:');
  command
    .addOption(option('--schedule <name>', SCHEDULES.join(', '), choice(SCHEDULES)).default(defaults.schedule))
    .addOption(option('--lr-final <rate>', 'where the cosine ends', number(0)).default(0))
    .addOption(option('--lr-decay-every <epochs>', 'of the step schedule', wholeNumber(1)).default(20))
    .addOption(option('--lr-decay-factor <f>', 'of the step schedule', share).default(0.5))
    .addOption(option('--warmup <epochs>', 'linear rise before the schedule, in epochs', number(0)).default(0));
}

function addSelectionOptions(command: Command): void {
  command.optionsGroup('Selection:');
  command
    .addOption(
      option('--train-per-class <n>', 'so many training images of each class, drawn with the seed', wholeNumber(1)),
    )
    .addOption(option('--train-fraction <f>', 'share of the training images that is used, drawn with the seed', share))
    .addOption(option('--label-noise <f>', 'share of the training labels made wrong, in each class', share).default(0))
    .addOption(option('--validation <f>', 'share of the training images held out to look at while training', share))
    .addOption(
      option(
        '--seed <n>',
        'decides split, selection, noise, initial weights, order, augmentation',
        wholeNumber(0),
      ).default(0),
    );
}
