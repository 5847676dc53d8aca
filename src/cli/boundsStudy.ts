/** `marsgrad bounds-study`: the paper's comparison of generalisation bounds, as an experiment that can be run. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Command } from 'commander';
import { openDataset } from '../data/node/index.ts';
import { chooseDevice } from '../devices/choose.ts';
import { BOUNDS_GRID, type BoundsGrid, boundsCases } from '../experiments/boundsGrid.ts';
import {
  BOUNDS_STUDY_SETTINGS,
  type BoundsRow,
  BoundsStudy,
  type BoundsStudySettings,
  caseName,
  STUDY_STARTS,
  type StudyStart,
} from '../experiments/boundsStudy.ts';
import { boundsCsv, summarizeBounds } from '../experiments/boundsSummary.ts';
import { drawBounds } from '../report/node/boundsPicture.ts';
import { setDefaultDevice } from '../tensor/create.ts';
import { boundsStudyText } from './boundsStudyText.ts';
import type { Context } from './context.ts';
import { InterruptedError, UsageError } from './errors.ts';
import { addDeviceOptions, addOutputOptions, type DeviceOptions, type OutputOptions, option } from './options.ts';
import { Output } from './output.ts';
import { choices, number, wholeNumber, wholeNumbers } from './parse.ts';

interface BoundsStudyOptions extends OutputOptions, DeviceOptions {
  readonly dataset: string;
  readonly imageSize: number;
  readonly out: string;
  readonly widths: readonly number[];
  readonly channels: readonly number[];
  readonly hiddenLayers: readonly number[];
  readonly trainImages: readonly number[];
  readonly starts: readonly StudyStart[];
  readonly seeds: number;
  readonly pretrainImages: number;
  readonly pretrainLoss: number;
  readonly loss: number;
  readonly maxEpochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly momentum: number;
  readonly radius: number;
  readonly radiusHead: number;
  readonly margin: number;
}

/** The first line of runs.ndjson: what its networks have in common. */
interface StudyHead {
  readonly type: 'settings';
  readonly dataset: string;
  readonly contentDigest: string;
  readonly imageSize: number;
  readonly settings: BoundsStudySettings;
}

const EXAMPLES = `
Plain networks (fully connected, convolutional) learn the second half of the classes, from random weights or from those that the first half gave
them, free or held in a MARS ball; every bound of "marsgrad bounds" is then evaluated. One thing varies at a time; of each list the second
value is the base at which the others vary. The paper compares on MNIST too, but its architectures and numbers are not public: these are ours.

--out holds runs.ndjson (a line per network as it is done: the command goes on where it was stopped), bounds-study.json, .csv and .svg.

Examples:
  marsgrad bounds-study --out runs/bounds-study
  marsgrad bounds-study --out runs/width --widths 32,128,512 --channels 4 --hidden-layers 2 --train-images 1000 --seeds 5`;

export function boundsStudyCommand(context: Context): Command {
  const command = new Command('bounds-study')
    .description("the paper's comparison of generalisation bounds, on networks that it trains (MNIST)")
    .addHelpText('after', EXAMPLES);
  addStudyOptions(command);
  addDeviceOptions(command);
  addOutputOptions(command);
  command.option('--out <folder>', 'where the results go', 'runs/bounds-study');
  return command.action(async (options: BoundsStudyOptions) => {
    const output = new Output(options.json, context.streams);
    const grid = gridOf(options);
    const rows = await trainAll(options, grid, output, context.signal);
    const summary = summarizeBounds(rows, grid);
    const date = new Date().toISOString().slice(0, 10);
    const facts = { date, dataset: options.dataset, settings: settingsOf(options), grid, ...summary };
    const file = (name: string) => join(options.out, name);
    writeFileSync(file('bounds-study.json'), `${JSON.stringify(facts, null, 1)}\n`);
    writeFileSync(file('bounds-study.csv'), boundsCsv(summary));
    writeFileSync(file('bounds-study.svg'), drawBounds(summary, grid));
    output.record({ type: 'summary', out: options.out, ...facts });
    output.result(`${boundsStudyText(summary, grid)}\n\nWritten to ${options.out}.`);
  });
}

function addStudyOptions(command: Command): void {
  const { widths, channels, hiddenLayers, examples, starts, seeds } = BOUNDS_GRID;
  const settings = BOUNDS_STUDY_SETTINGS;
  command.optionsGroup('Networks:');
  command
    .addOption(
      option('--widths <a,b,…>', 'units of the fully connected hidden layers', wholeNumbers(1)).default(widths),
    )
    .addOption(option('--channels <a,b,…>', 'of the first of two convolutions', wholeNumbers(1)).default(channels))
    .addOption(
      option('--hidden-layers <a,b,…>', 'of the fully connected networks', wholeNumbers(1)).default(hiddenLayers),
    )
    .addOption(option('--train-images <a,b,…>', 'of the task, all classes together', wholeNumbers(1)).default(examples))
    .addOption(option('--starts <a,b,…>', STUDY_STARTS.join(', '), choices(STUDY_STARTS)).default(starts))
    .addOption(option('--seeds <n>', 'networks of each kind', wholeNumber(1)).default(seeds));
  command.optionsGroup('Data and training:');
  command
    .option('--dataset <name|folder>', 'grey images of four classes or more', 'mnist')
    .addOption(option('--image-size <n>', 'side of the square input', wholeNumber(4)).default(28))
    .addOption(
      option('--pretrain-images <n>', 'of the classes that come first', wholeNumber(1)).default(
        settings.pretrainingExamples,
      ),
    )
    .addOption(option('--pretrain-loss <l>', 'where pre-training ends', number(0)).default(settings.pretrainingLoss))
    .addOption(
      option('--loss <l>', 'training ends when the mean cross-entropy of an epoch is at most this', number(0)).default(
        settings.loss,
      ),
    )
    .addOption(option('--max-epochs <n>', 'or after so many', wholeNumber(1)).default(settings.maxEpochs))
    .addOption(option('--batch-size <n>', 'images per step', wholeNumber(1)).default(settings.batchSize))
    .addOption(option('--lr <rate>', 'of SGD, constant', number(0)).default(settings.learningRate))
    .addOption(option('--momentum <m>', 'of SGD', number(0, 1)).default(settings.momentum))
    .addOption(option('--radius <r>', 'of held: MARS radius of the layers', number(0)).default(settings.radius))
    .addOption(
      option('--radius-head <r>', 'of held: of the classifier, around its initial values', number(0)).default(
        settings.headRadius,
      ),
    )
    .addOption(option('--margin <g>', 'of the margin bounds', number(Number.MIN_VALUE)).default(settings.margin));
}

const gridOf = ({
  widths,
  channels,
  hiddenLayers,
  trainImages: examples,
  starts,
  seeds,
}: BoundsStudyOptions): BoundsGrid => ({
  ...{ widths, channels, hiddenLayers, examples, starts, seeds },
});

const settingsOf = (options: BoundsStudyOptions): BoundsStudySettings => ({
  pretrainingExamples: options.pretrainImages,
  pretrainingLoss: options.pretrainLoss,
  loss: options.loss,
  maxEpochs: options.maxEpochs,
  batchSize: options.batchSize,
  learningRate: options.lr,
  momentum: options.momentum,
  radius: options.radius,
  headRadius: options.radiusHead,
  margin: options.margin,
});

/** Every network of the grid: those of an earlier session, and the others as they get done. */
async function trainAll(
  options: BoundsStudyOptions,
  grid: BoundsGrid,
  output: Output,
  signal: AbortSignal,
): Promise<BoundsRow[]> {
  const { dataset: name, imageSize, out, threads } = options;
  const onMessage = (text: string) => output.message(text);
  const dataset = await openDataset(name, { imageSize, onMessage });
  const settings = settingsOf(options);
  const { contentDigest } = dataset;
  const log = join(out, 'runs.ndjson');
  const known = openLog(log, { type: 'settings', dataset: name, contentDigest, imageSize, settings });
  const cases = boundsCases(grid);
  const missing = cases.filter((one) => !known.has(caseName(one)));
  if (missing.length < cases.length) output.message(`${cases.length - missing.length} of ${cases.length} are done.`);
  const rows = () => cases.map((one) => known.get(caseName(one))!);
  if (missing.length === 0) return rows();
  const chosen = await chooseDevice({ device: options.device, ...(threads !== undefined && { threads }) });
  output.message(`Device: ${chosen.device.kind}, ${chosen.device.name} (${chosen.reason}).`);
  setDefaultDevice(chosen.device);
  try {
    const study = new BoundsStudy({ train: dataset.train, test: dataset.test, imageSize }, settings, chosen.device);
    for (const [i, one] of missing.entries()) {
      const startedAt = performance.now();
      const row = await study.run(one, signal);
      const seconds = (performance.now() - startedAt) / 1000;
      appendFileSync(log, `${JSON.stringify({ type: 'network', name: caseName(one), seconds, ...row })}\n`);
      known.set(caseName(one), row);
      output.record({ type: 'network', name: caseName(one), seconds, ...row });
      const { epochs, trainLoss, testAccuracy } = row;
      output.message(
        `${cases.length - missing.length + i + 1}/${cases.length} ${caseName(one)}: ${epochs} epochs, loss ${trainLoss.toFixed(3)}, ` +
          `test accuracy ${(100 * testAccuracy).toFixed(1)} %, ${seconds.toFixed(1)} s`,
      );
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new InterruptedError(`Interrupted; the networks that are done are kept in ${out}. The same command goes on.`);
  } finally {
    chosen.device.close();
  }
  return rows();
}

/** The rows that are there, by name; a new file gets its head. Throws where it is of a study with other settings. */
function openLog(path: string, head: StudyHead): Map<string, BoundsRow> {
  if (!existsSync(path)) {
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, `${JSON.stringify(head)}\n`);
    return new Map();
  }
  const whole = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const [first, ...rows] = whole.map((line) => JSON.parse(line) as Record<string, unknown>);
  if (!isDeepStrictEqual(first, JSON.parse(JSON.stringify(head))))
    throw new UsageError(`${path} is of a study with other settings or data: choose another --out.`);
  // A killed process may have left half a line behind.
  writeFileSync(path, `${whole.join('\n')}\n`);
  return new Map(rows.map((row) => [row.name as string, row as unknown as BoundsRow]));
}
