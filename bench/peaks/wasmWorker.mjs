/** A thread of the WebAssembly peaks. Plain JavaScript: worker threads of Node 20 read no types. */
import { parentPort, workerData } from 'node:worker_threads';

const { module, memory } = workerData;
const { multiplyAdd, copy } = new WebAssembly.Instance(module, { env: { memory } }).exports;

parentPort.on('message', ({ kind, repetitions, iterations, from, to, bytes }) => {
  let result = 0;
  for (let i = 0; i < repetitions; i++) {
    if (kind === 'copy') copy(from, to, bytes);
    else result += multiplyAdd(iterations, 0.5, 0.25);
  }
  parentPort.postMessage(result);
});
