/** Data sets, transforms and loaders that run in any JavaScript engine; what reads files is in `node/`. */
export * from './catalogue.ts';
export * from './dataset.ts';
export * from './loader.ts';
export type { Mix, MixOptions } from './mix.ts';
export { randAugment } from './randAugment.ts';
export * from './resample.ts';
export * from './selection.ts';
export * from './transforms.ts';
