/** The library as Node gets it: the same, and it finds Dawn and worker threads. */
import './devices/node.ts';

export * from './index.ts';
