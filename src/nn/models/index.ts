export { CifarBlock, CifarResNet } from './cifarResNet.ts';
export { Classifier, HEAD_KINDS, type HeadKind, type HeadOptions, type NetworkOptions } from './classifier.ts';
export {
  DepthwiseSeparable,
  EfficientNetB0,
  type EfficientNetOptions,
  InvertedResidual,
  SqueezeExcite,
  StochasticDepth,
} from './efficientNet.ts';
export {
  BasicBlock,
  Bottleneck,
  type ImageNetDepth,
  ImageNetResNet,
  type ImageNetResNetOptions,
} from './imageNetResNet.ts';
export { type CreateModelOptions, createModel, modelNames, type Preprocessing, preprocessingOf } from './registry.ts';
