/** `marsgrad bounds`: generalisation bounds of a checkpoint, given the one that it began with. */
import { Command } from 'commander';
import { DataLoader } from '../data/index.ts';
import { type OpenedDataset, openDataset } from '../data/node/index.ts';
import { chooseDevice } from '../devices/choose.ts';
import type { Device } from '../devices/device.ts';
import {
  type Chain,
  chainOf,
  type DataConstants,
  dataConstants,
  type GeneralizationBound,
  generalizationBounds,
  type LayerNorms,
  layerNorms,
  shareWithinMargin,
} from '../regularizers/index.ts';
import { setDefaultDevice } from '../tensor/create.ts';
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
  option,
} from './options.ts';
import { formatTable, Output } from './output.ts';
import { choice, number, wholeNumber } from './parse.ts';
import { openingOf, resolvePreprocessing, transformOf } from './settings.ts';
import { readWeightsFile, type WeightsFile } from './weights.ts';

interface BoundsOptions extends OutputOptions, DeviceOptions, DataOptions {
  readonly network?: string;
  readonly trainPerClass?: number;
  readonly trainFraction?: number;
  readonly seed?: number;
  readonly margin?: number;
  readonly headAnchor: 'zero' | 'initial';
  readonly allowResidual: boolean;
  readonly layers: boolean;
}

interface Report {
  readonly network: string;
  readonly chain: Chain;
  readonly data: DataConstants;
  readonly margin: number;
  /** Null where nobody asked. */
  readonly shareWithinMargin: number | null;
  readonly layers: readonly LayerNorms[];
  readonly bounds: readonly GeneralizationBound[];
}

const EXAMPLES = `
The bounds are on the empirical Rademacher complexity R of networks whose layers have these norms and distances; with probability 1 - d,
for losses in [0, 1]: expected loss <= training loss + 2 R + 3 sqrt(ln(2/d)/(2m)). Formulas and sources: docs/method.md.

Examples:
  marsgrad bounds runs/mars/weights.safetensors resnet20.th --network resnet20 --dataset photos/ --allow-residual
  marsgrad bounds tuned.safetensors start.safetensors --dataset photos/ --margin 0.5 --layers --json`;

export function boundsCommand(context: Context): Command {
  const command = new Command('bounds')
    .description('generalisation bounds of fine-tuned weights, from their norms and their distances from the start')
    .argument('<weights>', 'fine-tuned weights')
    .argument('<start>', 'the weights that they began with')
    .addHelpText('after', EXAMPLES)
    .addOption(networkOption())
    .addOption(option('--train-per-class <n>', 'as in training: so many images of each class', wholeNumber(1)))
    .addOption(option('--train-fraction <f>', 'as in training: share of the training images', number(0, 1)))
    .addOption(option('--seed <n>', 'as in training: decides split and selection', wholeNumber(0)))
    .addOption(
      option(
        '--margin <g>',
        'of the margin bounds; runs the network to say which share of the images lies within (default: 1, not run)',
        positive,
      ),
    )
    .addOption(
      option(
        '--head-anchor <which>',
        'what the classifier began as: zero, initial',
        choice(['zero', 'initial']),
      ).default('zero'),
    )
    .option('--allow-residual', 'evaluate the formulas for a network that the theorems do not cover', false)
    .option('--layers', 'norms and distances of every layer too', false);
  addDataOptions(command);
  addDeviceOptions(command);
  addOutputOptions(command);
  return command.action(async (weights: string, start: string, options: BoundsOptions) => {
    const output = new Output(options.json, context.streams);
    try {
      const report = await reportOf(weights, start, options, output, context.signal);
      output.record(recordOf(report));
      output.result(textOf(report, options.layers));
    } finally {
      output.close();
    }
  });
}

const positive = (text: string): number => number(Number.MIN_VALUE)(text);

async function reportOf(
  path: string,
  startPath: string,
  options: BoundsOptions,
  output: Output,
  signal: AbortSignal,
): Promise<Report> {
  if (options.dataset === undefined)
    throw new UsageError('bounds needs --dataset: the images that the network was trained on.');
  const [weights, start] = [await readWeightsFile(path), await readWeightsFile(startPath)];
  const network = networkNameOf(options.network, weights, 'bounds');
  networkNameOf(network, start, 'bounds');
  const inputs = await openInputs(network, weights, options.dataset, options, output);
  const { threads } = options;
  const chosen = await chooseDevice({ device: options.device, ...(threads !== undefined && { threads }) });
  output.message(`Device: ${chosen.device.kind}, ${chosen.device.name} (${chosen.reason}).`);
  setDefaultDevice(chosen.device);
  try {
    return await measure({ network, weights, start, inputs, options, signal }, chosen.device);
  } catch (error) {
    throw signal.aborted ? new InterruptedError('Interrupted; nothing was saved.') : error;
  } finally {
    chosen.device.close();
  }
}

interface Inputs {
  readonly loader: DataLoader;
  readonly size: number;
  readonly classes: OpenedDataset['classes'];
}

/** The training images as the network sees them, without augmentation. */
async function openInputs(
  network: string,
  { metadata }: WeightsFile,
  dataset: string,
  options: BoundsOptions,
  output: Output,
): Promise<Inputs> {
  const { imageSize = null, mean = null, std = null, trainPerClass, trainFraction } = options;
  const preprocessing = resolvePreprocessing({ network, imageSize, mean, std }, metadata.preprocessing);
  const { preset = 'modern' } = metadata;
  const shown = { preset, augment: 'none' } as const;
  const classes = options.classes ?? metadata.classes;
  const { train, description } = await openDataset(dataset, {
    ...openingOf(preprocessing, shown),
    seed: options.seed ?? metadata.seed ?? 0,
    ...(classes && { classes }),
    ...(trainPerClass !== undefined && { trainPerClass }),
    ...(trainFraction !== undefined && { trainFraction }),
    stratified: preset !== 'authors',
    onMessage: (text) => output.message(text),
  });
  output.message(description);
  const loader = new DataLoader(train, { batchSize: 128, transform: transformOf(preprocessing, 'none', shown) });
  return { loader, size: preprocessing.size, classes: train.classes };
}

interface Question {
  readonly network: string;
  readonly weights: WeightsFile;
  readonly start: WeightsFile;
  readonly inputs: Inputs;
  readonly options: BoundsOptions;
  readonly signal: AbortSignal;
}

async function measure(
  { network, weights, start, inputs, options, signal }: Question,
  device: Device,
): Promise<Report> {
  const { loader, size, classes } = inputs;
  const model = modelWithWeights(network, weights, device);
  const chain = await chainOf(model, start.state, { inputShape: [3, size, size], headAnchor: options.headAnchor });
  if (chain.outputs !== classes.length)
    throw new UsageError(
      `${weights.path} tells ${chain.outputs} classes apart, but the data set has ${classes.length}; name them with --classes.`,
    );
  if (chain.outside.length > 0 && !options.allowResidual)
    throw new UsageError(
      `the theorems are about feed-forward chains of linear maps and ReLUs, and ${network} is none: ${chain.outside.join('; ')}. ` +
        '--allow-residual evaluates the formulas for its layers in order all the same: numbers to compare, no bounds.',
    );
  const onProgress = () => signal.throwIfAborted();
  const layers = await layerNorms(chain.layers, { device, onProgress });
  const data = await dataConstants(loader.epoch(0), chain.outputs);
  signal.throwIfAborted();
  const { margin = 1 } = options;
  const within = options.margin === undefined ? null : await shareWithinMargin(model, loader.epoch(0), margin);
  const bounds = generalizationBounds(layers, data, { margin });
  return { network, chain, data, margin, shareWithinMargin: within, layers, bounds };
}

/** JSON knows no infinity: a bound of zero has null for its logarithm, as one beyond float64 for its value. */
function recordOf({ network, chain, data, margin, shareWithinMargin, layers, bounds }: Report): object {
  const { outside } = chain;
  return {
    type: 'bounds',
    network,
    theoremsApply: outside.length === 0,
    outside,
    data,
    margin,
    shareWithinMargin,
    bounds: bounds.map((bound) => ({ ...bound, value: 10 ** bound.log10 })),
    parameters: layers.reduce((sum, layer) => sum + layer.parameters, 0),
    spectralDistance: layers.reduce((sum, layer) => sum + layer.spectralDistance, 0),
    layers,
  };
}

function textOf(report: Report, withLayers: boolean): string {
  const { network, chain, data, margin, shareWithinMargin: within, layers, bounds } = report;
  const rows = bounds.map(({ name, norm, usesDistance, log10 }) => [
    name,
    norm,
    usesDistance ? 'yes' : 'no',
    log10 === Number.NEGATIVE_INFINITY ? 'zero' : log10.toFixed(2),
  ]);
  const { examples, inputs, classes, largestElement, rmsNorm } = data;
  const facts = [
    `${network}: ${layers.length} layers; ${examples} images of ${inputs} elements in ${classes} classes, largest element ${short(largestElement)}, RMS norm ${short(rmsNorm)}.`,
    within === null
      ? `Margin bounds at a margin of ${margin}.`
      : `Margin bounds at a margin of ${margin}; ${(100 * within).toFixed(2)} % of the images lie within it.`,
    `Spectral distance, sum over the layers (Long & Sedghi 2020): ${short(layers.reduce((sum, layer) => sum + layer.spectralDistance, 0))}.`,
    ...(chain.outside.length > 0 ? [`NO BOUNDS, only their formulas: ${chain.outside.join('; ')}.`] : []),
  ];
  return [
    ...facts,
    '',
    formatTable([['bound on the Rademacher complexity', 'norm', 'distance', 'log10'], ...rows]),
    ...(withLayers ? ['', layerTable(layers)] : []),
    '',
    'Above 0 a bound says nothing about the loss itself, as for every large network; what informs is the difference between two rows or two checkpoints.',
  ].join('\n');
}

const short = (value: number): string => (value === 0 ? '0' : value.toPrecision(4));

function layerTable(layers: readonly LayerNorms[]): string {
  const heading = ['layer', 'MARS', 'moved', 'Frobenius', 'moved', 'spectral', 'moved', 'rows moved'];
  const rows = layers.map((layer) => [
    layer.name,
    ...[layer.mars, layer.marsDistance, layer.frobenius, layer.frobeniusDistance].map(short),
    ...[layer.spectral, layer.spectralDistance, layer.rowSumDistance].map(short),
  ]);
  return formatTable([heading, ...rows]);
}
