/** The number of threads changes no bit of any kernel's result. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CpuDevice } from '../../../src/devices/cpu/device.ts';
import { createCpuDevice } from '../../../src/devices/cpu/node.ts';
import { describeLaunch, type KernelCase } from '../../kernels/case.ts';
import { cases } from '../../kernels/cases.ts';
import { compare, referenceOutputs, runCase } from '../../kernels/run.ts';

let devices: CpuDevice[];
beforeAll(async () => {
  devices = await Promise.all([1, 2, 3].map((threads) => createCpuDevice({ threads })));
});
afterAll(() => {
  for (const device of devices) device.close();
});

async function check(testCase: KernelCase): Promise<void> {
  const [one, ...more] = await Promise.all(devices.map((device) => runCase(device, testCase)));
  compare(testCase, one!, referenceOutputs(testCase));
  for (const outputs of more) {
    for (const [name, values] of Object.entries(outputs)) {
      const bytes = [one![name]!, values].map((v) => Buffer.from(v.slice().buffer));
      expect(bytes[1]!.equals(bytes[0]!), `${describeLaunch(testCase)}: ${name} depends on the threads`).toBe(true);
    }
  }
}

test.each([...cases])('%s', async (_, { combinations, random, chosen }) => {
  for (const constants of combinations) {
    await fc.assert(fc.asyncProperty(random(constants), check), { seed: 3, numRuns: 25 });
  }
  for (const testCase of chosen) await check(testCase);
});
