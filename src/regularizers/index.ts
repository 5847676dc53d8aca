export type { AnchorState } from './anchors.ts';
export {
  Ball,
  type BallOptions,
  frobeniusBall,
  layerDistances,
  type MarsBallOptions,
  type MarsProjection,
  marsBall,
} from './ball.ts';
export * from './bounds/index.ts';
export { type BSSOptions, BSSPenalty, bss, spectralShrinkage } from './bss.ts';
export { type ChannelWeights, type DeltaOptions, DeltaPenalty, delta } from './delta.ts';
export { type DeltaWeightsOptions, deltaChannelWeights, type LabelledImages } from './deltaWeights.ts';
export type { LayerDistance } from './distances.ts';
export { FTP, type FTPOptions, ftp } from './ftp.ts';
export { type ConstrainableLayer, constrainableLayers } from './layers.ts';
export type { Penalty } from './penalty.ts';
export { depthScaled, type RadiusRule } from './radii.ts';
export { SPD, type SPDOptions, spd } from './spd.ts';
export type { TensorRowsOptions } from './tensorRows.ts';
export { TPGM, type TPGMOptions, tpgm } from './tpgm.ts';
export {
  type L2SPOptions,
  l2sp,
  type MarsSPOptions,
  marsSp,
  WeightPenalty,
  type WeightPenaltyOptions,
} from './weightPenalty.ts';
export { interpolateWeights } from './wiseFt.ts';
