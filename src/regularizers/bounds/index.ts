export { type BoundOptions, type GeneralizationBound, generalizationBounds } from './bounds.ts';
export { type Chain, type ChainLayer, type ChainOptions, chainOf } from './chain.ts';
export { type DataConstants, dataConstants, type ImageBatch, shareWithinMargin } from './data.ts';
export { convolutionSpectralNorm, type LayerNorms, type LayerNormsOptions, layerNorms } from './layerNorms.ts';
export { type ConvolutionNorms, convolutionNorms } from './norms.ts';
export { type SpectralNorm, type SpectralNormOptions, spectralNorm } from './spectralNorm.ts';
