export type { LayerDistance } from './distances.ts';
export { type ConstrainableLayer, constrainableLayers } from './layers.ts';
export { type AnchorState, MarsBall, type MarsBallOptions, marsBall } from './marsBall.ts';
export type { Penalty } from './penalty.ts';
