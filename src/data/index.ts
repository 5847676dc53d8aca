/** Data sets, transforms and loaders that run in any JavaScript engine; what reads files is in `node/`. */
export * from './catalogue.ts';
export * from './dataset.ts';
export * from './loader.ts';
export * from './resample.ts';
export * from './selection.ts';
export * from './transforms.ts';
