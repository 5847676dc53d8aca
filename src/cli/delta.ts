/** DELTA on the command line: the frozen source network, and the weights of its channels, kept in a folder between runs. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Batch, DataLoader } from '../data/index.ts';
import type { OpenedDataset } from '../data/node/index.ts';
import type { Classifier, Preprocessing } from '../nn/index.ts';
import { type ChannelWeights, type DeltaPenalty, delta, deltaChannelWeights } from '../regularizers/index.ts';
import type { Output } from './output.ts';
import { type TrainingSettings, transformOf } from './settings.ts';
import type { WeightsFile } from './weights.ts';

export interface DeltaParts {
  readonly model: Classifier;
  /** The same network with the pre-trained weights, for DELTA alone. */
  readonly source: Classifier;
  readonly weights: WeightsFile;
  readonly dataset: OpenedDataset;
  readonly preprocessing: Preprocessing;
  readonly settings: TrainingSettings;
  readonly output: Output;
  readonly measured?: MeasuredOnce;
}

/** Channel weights that several sessions of one run share: measured by the first of them. */
export interface MeasuredOnce {
  channelWeights?: ChannelWeights;
}

/** The original form looks at every stage of the network, the authors' at the last one. */
export async function openDelta(parts: DeltaParts): Promise<DeltaPenalty> {
  const { model, source, settings } = parts;
  const { form, extractor, classifier } = settings.regularization;
  const stages = model.stages;
  const layers = form === 'original' ? stages : stages.slice(-1);
  const weights = settings.regularization.deltaWeights === 'uniform' ? 'uniform' : await measuredOnce(parts, layers);
  // The authors' penalty on the head is a norm of its own, beside DELTA.
  const head = form === 'original' ? (classifier ?? 0) : 0;
  return delta(model, source, { extractor: extractor ?? 0, classifier: head, layers, weights, form });
}

async function measuredOnce(parts: DeltaParts, layers: readonly string[]): Promise<ChannelWeights> {
  const known = parts.measured?.channelWeights;
  if (known) return known;
  const weights = await channelWeights(parts, layers);
  if (parts.measured) parts.measured.channelWeights = weights;
  return weights;
}

/** From the cache, where it has those of the same weights, images and form; else computed, and put there. */
async function channelWeights(parts: DeltaParts, layers: readonly string[]): Promise<ChannelWeights> {
  const { source, settings, output, dataset, preprocessing } = parts;
  const { deltaCache, form } = settings.regularization;
  const path = deltaCache === null ? null : join(deltaCache, `${keyOf(parts, layers)}.json`);
  if (path !== null && existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as ChannelWeights;
  const transform = transformOf(preprocessing, 'none', settings);
  const loader = new DataLoader(dataset.train, { batchSize: settings.batchSize, transform });
  const batches: Batch[] = [];
  for await (const batch of loader.epoch(0)) batches.push(batch);
  const bytes = batches.reduce((sum, { images }) => sum + images.byteLength, 0);
  output.message(
    `DELTA: weighing the channels of ${layers.join(', ')} on ${dataset.train.length} images (${(bytes / 2 ** 20).toFixed(0)} MiB).`,
  );
  let said = 0;
  const onProgress = (done: number, total: number) => {
    if (done < total && done - said < total / 10) return;
    said = done;
    output.message(`DELTA: ${done} of ${total} channels.`);
  };
  const weights = await deltaChannelWeights(source, batches, { layers, form, onProgress });
  const plain = Object.fromEntries(Object.entries(weights).map(([layer, values]) => [layer, [...values]]));
  if (path !== null) {
    mkdirSync(deltaCache!, { recursive: true });
    writeFileSync(path, `${JSON.stringify(plain)}\n`);
  }
  return plain;
}

/** Names all that the channel weights depend on. */
function keyOf({ weights, dataset, preprocessing, settings }: DeltaParts, layers: readonly string[]): string {
  const { network, classes, trainPerClass, trainFraction, labelNoise, validation, trainOnValidation, seed, preset } =
    settings;
  const chosen = { classes, trainPerClass, trainFraction, labelNoise, validation, trainOnValidation, seed, preset };
  const facts = { network, layers, form: settings.regularization.form, preprocessing, ...chosen };
  const digest = createHash('sha256')
    .update(JSON.stringify([weights.sha256, dataset.contentDigest, facts]))
    .digest('hex');
  return `delta-${network}-${digest.slice(0, 16)}`;
}
