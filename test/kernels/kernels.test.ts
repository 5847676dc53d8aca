/** Every kernel × every device × random and chosen launches, against the float64 definition of the kernel. */
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/devices/device.ts';
import { kernels } from '../../src/kernels/index.ts';
import { describeLaunch, type KernelCase, type KernelCases } from './case.ts';
import { cases } from './cases.ts';
import { devices } from './devices.ts';
import { compare, type Outputs, referenceOutputs, runCase } from './run.ts';

const SEED = 20200117;
const RANDOM_LAUNCHES = 25;
const LEAST_PER_COMBINATION = 4;
/** A software adapter takes a second to compile each pipeline, when nothing else runs. */
const TIMEOUT_MS = 240_000;

/** The chosen launches are large, and the same for all devices. */
const references = new Map<KernelCase, Outputs>();

async function checkChosen(device: Device, testCase: KernelCase): Promise<void> {
  const reference = references.get(testCase) ?? referenceOutputs(testCase);
  references.set(testCase, reference);
  const first = await runCase(device, testCase);
  compare(testCase, first, reference);
  if (device.kind === 'reference') return; // One loop in one thread, and slow: the same bytes by construction.
  const second = await runCase(device, testCase);
  for (const name of Object.keys(first)) {
    const [a, b] = [first, second].map((outputs) => new Uint8Array(outputs[name]!.slice().buffer));
    expect(Buffer.compare(a!, b!), `${describeLaunch(testCase)}: a second run gives other bytes`).toBe(0);
  }
}

async function checkRandom(device: Device, { combinations, random }: KernelCases): Promise<void> {
  const numRuns = Math.max(LEAST_PER_COMBINATION, Math.ceil(RANDOM_LAUNCHES / combinations.length));
  for (const constants of combinations) {
    await fc.assert(
      fc.asyncProperty(random(constants), async (testCase) => {
        compare(testCase, await runCase(device, testCase), referenceOutputs(testCase));
      }),
      // Not shrunk: after a failed launch the device may fail with every other case too.
      { seed: SEED, numRuns, endOnFailure: true },
    );
  }
}

it('every kernel has cases', () => {
  expect([...cases.keys()].sort()).toEqual([...kernels.keys()].sort());
});

describe.each(devices)('$kind', ({ open }) => {
  let device: Device;
  beforeAll(async () => {
    device = await open();
  });
  // A launch that fails may take the device with it; the next kernel gets a new one.
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    device.close();
    device = await open();
  });
  afterAll(() => device?.close());

  it.each([...cases])(
    '%s',
    async (_name, kernelCases) => {
      await checkRandom(device, kernelCases);
      for (const testCase of kernelCases.chosen) await checkChosen(device, testCase);
      expect(device.memory().liveBuffers).toBe(0);
    },
    TIMEOUT_MS,
  );
});
