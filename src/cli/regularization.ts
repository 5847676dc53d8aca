/** From settings to what a training step is made of: the optimiser with its links, the penalties, and what is measured. */
import type { Classifier } from '../nn/index.ts';
import { chain, type Optimizer, project, SGD } from '../optim/index.ts';
import { type Ball, marsBall, type Penalty } from '../regularizers/index.ts';
import type { TrainingSettings } from './settings.ts';

export interface Regularization {
  /** Measures distances, whatever the method. */
  readonly ball: Ball;
  /** The ball, where the method keeps the weights in it. */
  readonly constraint: Ball | null;
  readonly optimizer: Optimizer;
  readonly penalties: readonly Penalty[];
}

export function regularize(model: Classifier, settings: TrainingSettings): Regularization {
  const { method, extractor, classifier } = settings.regularization;
  const sgd = new SGD(model.parameters(), settings.optimizer);
  const ball = marsBall(model, {
    extractor: extractor ?? Number.POSITIVE_INFINITY,
    classifier: classifier ?? Number.POSITIVE_INFINITY,
  });
  const isConstrained = method === 'mars-pgm';
  return {
    ball,
    constraint: isConstrained ? ball : null,
    optimizer: isConstrained ? chain(sgd, project(ball)) : sgd,
    penalties: [],
  };
}
