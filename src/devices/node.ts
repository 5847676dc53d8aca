/** Importing this file lets `chooseDevice` find what Node has: WebGPU from the optional package `webgpu`, worker threads. */
import { setPlatform } from './choose.ts';
import { nodeGpu } from './webgpu/node.ts';

setPlatform({
  gpu: nodeGpu,
  cpu: async () => Promise.reject(new Error('the cpu device is not there yet')),
});
