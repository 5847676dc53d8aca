/** From settings to what a training step is made of: the optimiser with its links, the penalties, and what is measured. */
import { type Classifier, freezeFraction, layerwiseGroups, linearProbe } from '../nn/index.ts';
import { Adam, AdamW, chain, type EMA, ema, type Optimizer, project, SGD, type UpdateLink } from '../optim/index.ts';
import {
  type Ball,
  bss,
  constrainableLayers,
  depthScaled,
  frobeniusBall,
  ftp,
  l2sp,
  marsBall,
  marsSp,
  type Penalty,
  spd,
  type TPGM,
  tpgm,
} from '../regularizers/index.ts';
import type { OptimizerSettings, RegularizationSettings, TrainingSettings } from './settings.ts';

export interface Regularization {
  /** Measures distances, whatever the method. */
  readonly ball: Ball;
  /** The ball, where the method keeps the weights in it. */
  readonly constraint: Ball | null;
  readonly optimizer: Optimizer;
  readonly penalties: readonly Penalty[];
  /** What is tested and saved in the place of the weights; null: they themselves. */
  readonly average: EMA | null;
  /** Learns its radii when training is over. */
  readonly radii: TPGM | null;
  /** Chooses what trains in an epoch. */
  readonly onEpochStart: (epoch: number) => void;
}

/**
 * The model holds its pre-trained weights and a fresh head: they are the anchors. `openDelta` makes DELTA's penalty, which needs the weights
 * and the data.
 */
export async function regularize(
  model: Classifier,
  settings: TrainingSettings,
  openDelta: () => Promise<Penalty>,
): Promise<Regularization> {
  const { regularization } = settings;
  const isConstrained = regularization.method === 'mars-pgm' || regularization.method === 'l2-pgm';
  const optimizer = optimizerOf(model, settings.optimizer);
  const ball = isConstrained ? ballOf(model, regularization) : freeBall(model, regularization);
  const average = settings.optimizer.ema === null ? null : ema(model.parameters(), settings.optimizer.ema);
  return {
    ball,
    constraint: isConstrained ? ball : null,
    optimizer: chain(optimizer, ...linksOf(model, ball, regularization), ...(average ? [average] : [])),
    average,
    radii: regularization.method === 'tpgm' ? tpgm(model) : null,
    penalties: await penaltiesOf(model, regularization, openDelta),
    onEpochStart: (epoch) => chooseTrainable(model, regularization, epoch),
  };
}

function optimizerOf(model: Classifier, settings: OptimizerSettings): Optimizer {
  const { headScale, layerDecay: decay } = settings;
  const groups = layerwiseGroups(model, { headScale, decay });
  const { name, learningRate, weightDecay, betas, epsilon, amsgrad, semantics } = settings;
  if (name === 'adam') return new Adam(groups, { learningRate, weightDecay, betas, epsilon, amsgrad, semantics });
  if (name === 'adamw') return new AdamW(groups, { learningRate, weightDecay, betas, epsilon, amsgrad });
  return new SGD(groups, settings);
}

function ballOf(model: Classifier, settings: RegularizationSettings): Ball {
  const { method, relative, headAnchor, depthwiseRows, batchNorm, projection, depthFactor } = settings;
  const extractor = settings.extractor ?? Number.POSITIVE_INFINITY;
  const classifier = settings.classifier ?? Number.POSITIVE_INFINITY;
  const radii = depthFactor === 1 ? {} : { radii: depthScaled(constrainableLayers(model), extractor, depthFactor) };
  const options = { extractor, classifier, relative, headAnchor, depthwiseRows, batchNorm, ...radii };
  return method === 'l2-pgm' ? frobeniusBall(model, options) : marsBall(model, { ...options, projection });
}

/** What follows every update of the weights. */
function linksOf(model: Classifier, ball: Ball, { method, extractor, ftpK }: RegularizationSettings): UpdateLink[] {
  if (method === 'mars-pgm' || method === 'l2-pgm') return [project(ball)];
  if (method === 'ftp') return [ftp(model, { k: ftpK })];
  return method === 'spd' ? [spd(model, { strength: extractor ?? 0 })] : [];
}

/** It bounds nothing. */
function freeBall(model: Classifier, { headAnchor, depthwiseRows }: RegularizationSettings): Ball {
  const [extractor, classifier] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  return marsBall(model, { extractor, classifier, headAnchor, depthwiseRows });
}

async function penaltiesOf(
  model: Classifier,
  { method, form, headNorm, ...settings }: RegularizationSettings,
  openDelta: () => Promise<Penalty>,
): Promise<Penalty[]> {
  const [extractor, classifier] = [settings.extractor ?? 0, settings.classifier ?? 0];
  const batchNorm = form === 'authors' ? 'sum' : 'max';
  if (method === 'l2-sp') return [l2sp(model, { extractor, classifier, form })];
  if (method === 'mars-sp') return [marsSp(model, { extractor, classifier, batchNorm })];
  if (method === 'bss') return [bss(model, { strength: extractor })];
  if (method !== 'delta') return [];
  const onMaps = await openDelta();
  if (form === 'original') return [onMaps];
  const onHead = { extractor: 0, classifier };
  return [onMaps, headNorm === 'frob' ? l2sp(model, { ...onHead, form }) : marsSp(model, onHead)];
}

function chooseTrainable(model: Classifier, settings: RegularizationSettings, epoch: number): void {
  const { method, probeEpochs, freezeFraction: fraction } = settings;
  if (method === 'linear-probe' || (method === 'lp-ft' && epoch < probeEpochs)) linearProbe(model);
  else if (method === 'lp-ft' || fraction > 0) {
    model.unfreeze();
    freezeFraction(model, fraction);
  }
}
