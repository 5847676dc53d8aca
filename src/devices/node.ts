/** Importing this file lets `chooseDevice` find what Node has: WebGPU from the optional package `webgpu`, worker threads. */
import { setDeviceSources } from './choose.ts';
import { createCpuDevice } from './cpu/node.ts';
import { nodeGpu } from './webgpu/node.ts';

setDeviceSources({ findGpu: nodeGpu, createCpuDevice });
