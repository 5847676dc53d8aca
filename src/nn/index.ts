/** Modules, layers, initialisers and networks. */
export { freezeFraction, headOf, linearProbe } from './freezing.ts';
export { CapturedOutputs, hookOutputs, type OutputHook, type Unhook } from './hooks.ts';
export * from './init.ts';
export * from './layers.ts';
export { type LayerwiseGroup, type LayerwiseOptions, layerwiseGroups } from './layerwise.ts';
export * from './models/index.ts';
export { buffer, Module, parameter } from './module.ts';
export {
  assign,
  Counter,
  type LoadableState,
  type LoadResult,
  type ModuleState,
  type ModuleStateEntry,
} from './state.ts';
export { type ModelSummary, type SummaryRow, summary } from './summary.ts';
