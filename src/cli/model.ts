/** Networks from weight files, with errors that name the file. */
import type { Device } from '../devices/device.ts';
import { type Classifier, createModel, type HeadOptions } from '../nn/index.ts';
import { Random } from '../tensor/random.ts';
import { oneLine, UsageError } from './errors.ts';
import type { WeightsFile } from './weights.ts';

/** The network that the command line names, or else the one that the weights are of. */
export function networkNameOf(said: string | undefined, weights: WeightsFile | null, command: string): string {
  const stored = weights?.metadata.network;
  if (said !== undefined && stored !== undefined && said !== stored)
    throw new UsageError(`${weights!.path} holds weights of ${stored}, not of ${said}.`);
  const name = said ?? stored;
  if (name === undefined)
    throw new UsageError(`${command} needs --network: the weight file does not say what it is of.`);
  return name;
}

/** The network with the file's weights, its head as in the file. */
export function modelWithWeights(network: string, weights: WeightsFile, device: Device): Classifier {
  const model = createModel(network, { ...weights.metadata.architecture, seed: null, device });
  const head = weights.state.get(`${model.headName}.weight`);
  if (head) {
    const [classes, inputs] = head.shape as [number, number];
    const imageSize = weights.metadata.preprocessing?.size;
    if (inputs !== model.head.inFeatures && imageSize)
      model.resetHead(classes, { kind: 'flattened', imageSize, random: null });
    else if (classes !== model.head.outFeatures) model.resetHead(classes, { random: null });
  }
  try {
    model.loadStateDict(weights.state);
  } catch (error) {
    throw new Error(`${weights.path} does not fit ${network}. ${oneLine(error)}`);
  }
  return model;
}

/** Freshly drawn, with one seed for the network and for a new head. */
export function replaceHead(model: Classifier, classes: number, seed: number, options: HeadOptions): void {
  model.resetHead(classes, { ...options, random: new Random(seed).fork('head') });
}
