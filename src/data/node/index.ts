/** Data sets that are read from files; needs Node. */
export * from './cache.ts';
export * from './catalogued.ts';
export * from './cifar10.ts';
export * from './decode.ts';
export * from './digest.ts';
export * from './imageFolder.ts';
export * from './mnist.ts';
export * from './open.ts';
