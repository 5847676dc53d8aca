export { WeightFileError } from './errors.ts';
export { type KerasLayer, type LayersModel, readLayersModel, shardNames } from './keras/layersModel.ts';
export { type KerasResNet, readKerasResNet } from './keras/resNet.ts';
export { readWeights } from './load.ts';
export { fromTorchvisionEfficientNet } from './pytorch/efficientNet.ts';
export { type PytorchValue, readPytorch } from './pytorch/read.ts';
export { stateDictOf } from './pytorch/state-dict.ts';
export { readSafetensors, type SafetensorsFile, type SafetensorsMetadata, writeSafetensors } from './safetensors.ts';
export {
  countOf,
  type StateData,
  type StateDict,
  type StateDtype,
  type StateEntry,
  stateEntry,
  stripPrefix,
  stripWrappers,
  toFloat32,
} from './state.ts';
