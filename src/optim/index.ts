export { Adam, type AdamOptions, type AdamSemantics, AdamW } from './adam.ts';
export { ArenaOptimizer, type ParameterGroup } from './arenaOptimizer.ts';
export { clipGradNorm, gradientNorm } from './clip.ts';
export { EMA, ema } from './ema.ts';
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
export { SGD, type SGDOptions } from './sgd.ts';
