/** Every option that several commands share, defined once. */
import { type Command, Option } from 'commander';
import { DEVICE_CHOICES, type DeviceChoice } from '../devices/choose.ts';
import { modelNames } from '../nn/index.ts';
import { choice, list, number, radius, rgb, wholeNumber } from './parse.ts';
import { AUGMENTATIONS, type Augmentation, METHODS, type Method, SCHEDULES, type ScheduleName } from './settings.ts';

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
export interface TrainingOptions extends OutputOptions, DeviceOptions, DataOptions {
  readonly network?: string;
  readonly trainPerClass?: number;
  readonly labelNoise: number;
  readonly validation?: number;
  readonly augment: Augmentation;
  readonly epochs: number;
  readonly batchSize: number;
  readonly optimizer: 'sgd';
  readonly lr: number;
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly weightDecay: number;
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
  readonly out?: string;
  readonly resume?: string;
}
export interface FinetuneOptions extends TrainingOptions {
  readonly weights?: string;
  readonly method: Method;
  readonly radiusExtractor?: number;
  readonly radiusClassifier?: number;
}

const option = <T>(flags: string, description: string, parser: (text: string) => T): Option =>
  new Option(flags, description).argParser(parser);

export const networkOption = (): Option =>
  option('--network <name>', `one of ${modelNames().join(', ')}`, choice(modelNames()));

export function addOutputOptions(command: Command): Command {
  return command
    .option('--json', 'machine output: one JSON object per line on stdout, the last one the summary', false)
    .option('--debug', 'show the stack of an error', false);
}

export function addDeviceOptions(command: Command): Command {
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
  return command
    .option('--dataset <name|folder>', 'cifar10, or ROOT/{train,val,test}/<class>/<image>, or ROOT/<class>/<image>')
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
  const share = number(0, 1);
  addSelectionOptions(command);
  return command
    .addOption(
      option(
        '--augment <kind>',
        `${AUGMENTATIONS.join(', ')}; the crop is random after a border of 1/8`,
        choice(AUGMENTATIONS),
      ).default(defaults.augment),
    )
    .addOption(option('--epochs <n>', 'passes over the training images', wholeNumber(1)).default(defaults.epochs))
    .addOption(option('--batch-size <n>', 'images per step', wholeNumber(1)).default(defaults.batchSize))
    .addOption(option('--optimizer <name>', 'sgd', choice(['sgd'])).default('sgd'))
    .addOption(option('--lr <rate>', 'learning rate (the peak of the schedule)', number(0)).default(defaults.lr))
    .addOption(option('--momentum <m>', 'of SGD', share).default(0.9))
    .addOption(new Option('--nesterov', "Nesterov's momentum").default(defaults.nesterov))
    .addOption(new Option('--no-nesterov', 'plain momentum'))
    .addOption(option('--weight-decay <l>', 'λ of λ/2·‖w‖²', number(0)).default(defaults.weightDecay))
    .addOption(option('--schedule <name>', SCHEDULES.join(', '), choice(SCHEDULES)).default(defaults.schedule))
    .addOption(option('--lr-final <rate>', 'where the cosine ends', number(0)).default(0))
    .addOption(option('--lr-decay-every <epochs>', 'of the step schedule', wholeNumber(1)).default(20))
    .addOption(option('--lr-decay-factor <f>', 'of the step schedule', share).default(0.5))
    .addOption(option('--warmup <epochs>', 'linear rise before the schedule, in epochs', number(0)).default(0))
    .addOption(option('--label-smoothing <e>', 'ε of smoothed targets', share).default(0))
    .addOption(
      option('--evaluate-every <n>', 'epochs between looks at the validation images; 0: never', wholeNumber(0)).default(
        1,
      ),
    )
    .addOption(
      option('--log-every <n>', 'steps between two lines of the log; 0: epochs only', wholeNumber(0)).default(50),
    )
    .addOption(
      new Option('--drop-last', 'leave out the last training batch of an epoch where it is not full').default(false),
    )
    .option('--out <run>', 'the run folder to make (default: a new one under runs/)')
    .option('--resume <run>', 'go on with a stopped run, with its own settings');
}

function addSelectionOptions(command: Command): void {
  command
    .addOption(
      option('--train-per-class <n>', 'so many training images of each class, drawn with the seed', wholeNumber(1)),
    )
    .addOption(
      option('--label-noise <f>', 'share of the training labels made wrong, in each class', number(0, 1)).default(0),
    )
    .addOption(
      option('--validation <f>', 'share of the training images held out to look at while training', number(0, 1)),
    )
    .addOption(
      option(
        '--seed <n>',
        'decides split, selection, noise, initial weights, order, augmentation',
        wholeNumber(0),
      ).default(0),
    );
}

export function addMethodOptions(command: Command): Command {
  return command
    .addOption(option('--method <name>', METHODS.join(', '), choice(METHODS)).default('none'))
    .addOption(
      option(
        '--radius-extractor <r>',
        "largest MARS distance of each layer from the pre-trained weights, or 'inf'",
        radius,
      ),
    )
    .addOption(option('--radius-classifier <r>', "largest MARS norm of the classifier, or 'inf'", radius));
}
