export {
  chain,
  type LinkState,
  type Optimizer,
  type OptimizerState,
  type Projection,
  project,
  type UpdateLink,
} from './optimizer.ts';
export { constant, cosine, type OneCycleOptions, oneCycle, type Schedule, stepDecay, withWarmup } from './schedules.ts';
export { type ParameterGroup, SGD, type SGDOptions } from './sgd.ts';
