/** `marsgrad evaluate`: accuracy and loss of a weight file over every image of a split. */
import { Command, Option } from 'commander';
import { DataLoader, type ImageDataset, subset } from '../data/index.ts';
import { openDataset } from '../data/node/index.ts';
import { chooseDevice } from '../devices/choose.ts';
import { interpolateWeights } from '../regularizers/index.ts';
import { setDefaultDevice } from '../tensor/create.ts';
import { type Evaluation, evaluate } from '../train/index.ts';
import type { Context } from './context.ts';
import { InterruptedError, UsageError } from './errors.ts';
import { modelWithWeights, networkNameOf } from './model.ts';
import {
  addDataOptions,
  addDeviceOptions,
  addOutputOptions,
  type DataOptions,
  type DeviceOptions,
  networkOption,
  type OutputOptions,
} from './options.ts';
import { formatPercent, Output } from './output.ts';
import { choice, number, wholeNumber } from './parse.ts';
import { openingOf, resolvePreprocessing, transformOf } from './settings.ts';
import { readWeightsFile, WEIGHTS_HELP, type WeightsFile } from './weights.ts';

const SPLITS = ['train', 'val', 'test'] as const;

interface EvaluateOptions extends OutputOptions, DeviceOptions, DataOptions {
  readonly network?: string;
  readonly weights?: string;
  readonly split: (typeof SPLITS)[number];
  readonly limit?: number;
  readonly batchSize: number;
  readonly seed?: number;
  readonly interpolate?: number;
  readonly pretrained?: string;
}

const EXAMPLES = `
Examples:
  marsgrad evaluate --network resnet20 --weights resnet20.th --dataset cifar10 --json
  marsgrad evaluate --weights runs/demo/mars-pgm/weights.safetensors --dataset cifar10
  marsgrad evaluate --weights weights.safetensors --dataset photos/ --split val --limit 500
  marsgrad evaluate --weights runs/photos --pretrained resnet20.th --interpolate 0.5 --dataset photos/`;

export function evaluateCommand(context: Context): Command {
  const command = new Command('evaluate')
    .description('accuracy and loss of a weight file, over every image')
    .addHelpText('after', EXAMPLES)
    .addOption(networkOption())
    .option('--weights <file>', WEIGHTS_HELP)
    .addOption(new Option('--split <name>', SPLITS.join(', ')).argParser(choice(SPLITS)).default('test'))
    .addOption(new Option('--limit <n>', 'only the first so many images').argParser(wholeNumber(1)))
    .addOption(new Option('--batch-size <n>', 'images at once').argParser(wholeNumber(1)).default(128))
    .addOption(
      new Option('--interpolate <alpha>', 'WiSE-FT: (1 − α)·pretrained + α·weights; with --pretrained').argParser(
        number(0, 1),
      ),
    )
    .option('--pretrained <file>', 'the weights that fine-tuning began with')
    .addOption(
      new Option('--seed <n>', 'decides the split of an unsplit folder (default: as in training)').argParser(
        wholeNumber(0),
      ),
    );
  addDataOptions(command);
  addDeviceOptions(command);
  addOutputOptions(command);
  return command.action(async (options: EvaluateOptions) => {
    const output = new Output(options.json, context.streams);
    try {
      const result = await evaluateWeights(options, output, context.signal);
      output.record(result);
      output.result(
        `${result.images} images: top-1 ${formatPercent(result.top1)}, top-5 ${formatPercent(result.top5)}, loss ${result.loss.toFixed(4)}`,
      );
    } finally {
      output.close();
    }
  });
}

async function evaluateWeights(options: EvaluateOptions, output: Output, signal: AbortSignal): Promise<Evaluation> {
  if (options.weights === undefined) throw new UsageError('evaluate needs --weights: the file to look at.');
  if (options.dataset === undefined)
    throw new UsageError('evaluate needs --dataset: cifar10, mnist, or a folder of class folders.');
  if ((options.interpolate === undefined) !== (options.pretrained === undefined))
    throw new UsageError('--interpolate and --pretrained go together: how far from which weights.');
  const weights = await readWeightsFile(options.weights, (text) => output.message(text));
  const network = networkNameOf(options.network, weights, 'evaluate');
  const { imageSize = null, mean = null, std = null } = options;
  const preprocessing = resolvePreprocessing({ network, imageSize, mean, std }, weights.metadata.preprocessing);
  const classes = classesOf(options, weights);
  const { preset = 'modern' } = weights.metadata;
  const shown = { preset, augment: 'none' } as const;
  const dataset = await openDataset(options.dataset, {
    ...openingOf(preprocessing, shown),
    seed: options.seed ?? weights.metadata.seed ?? 0,
    ...(classes && { classes }),
    onMessage: (text) => output.message(text),
  });
  const images = dataset[options.split];
  if (!images) throw new UsageError(`${options.dataset} has no ${options.split} images.`);
  const { threads } = options;
  const { device, reason } = await chooseDevice({ device: options.device, ...(threads !== undefined && { threads }) });
  try {
    output.message(`Device: ${device.kind}, ${device.name} (${reason}).`);
    setDefaultDevice(device);
    const model = modelWithWeights(network, weights, device);
    if (options.interpolate !== undefined) {
      const { state } = await readWeightsFile(options.pretrained!, (text) => output.message(text));
      model.loadStateDict(interpolateWeights(state, await model.stateDict(), options.interpolate));
    }
    checkClassCount(weights.path, model.head.outFeatures, options.dataset, dataset.classes);
    const chosen = firstOf(images, options.limit);
    const transform = transformOf(preprocessing, 'none', shown);
    const loader = new DataLoader(chosen, { batchSize: options.batchSize, transform });
    const progress = output.progress('evaluate', chosen.length);
    const onProgress = (done: number) => progress.update(done);
    return await evaluate(model, loader, { signal, onProgress }).finally(() => progress.stop());
  } catch (error) {
    throw signal.aborted ? new InterruptedError('Interrupted; nothing was saved.') : error;
  } finally {
    device.close();
  }
}

/** The classes in the order of the logits; undefined where only the data set itself can say. */
function classesOf(options: EvaluateOptions, { path, metadata }: WeightsFile): readonly string[] | undefined {
  const stored = metadata.classes;
  const said = options.classes;
  if (said && stored && said.join() !== stored.join())
    throw new UsageError(`${path} tells apart ${stored.join(',')}; --classes says ${said.join(',')}. Leave it out.`);
  return said ?? stored;
}

function checkClassCount(path: string, logits: number, dataset: string, classes: readonly string[]): void {
  if (logits === classes.length) return;
  const names = classes.length > 12 ? '' : `: ${classes.join(', ')}`;
  throw new Error(
    `${path} tells ${logits} classes apart, but ${dataset} has ${classes.length}${names}. Name the ${logits} with --classes, in the order of training.`,
  );
}

function firstOf(images: ImageDataset, limit: number | undefined): ImageDataset {
  if (limit === undefined || limit >= images.length) return images;
  return subset(
    images,
    Int32Array.from({ length: limit }, (_, i) => i),
  );
}
