/**
 * Runs that were made with a kernel that computes something else than its sources say: a broken driver, a broken chip, a broken compiler.
 * All digests are right. What fails is the replay, on the same wrong device; and, where the audit has a sound one, the mathematics.
 */
import { afterAll, afterEach, beforeAll, describe, it } from 'vitest';
import { setDeviceSources } from '../../../src/devices/choose.ts';
import { createCpuDevice } from '../../../src/devices/cpu/node.ts';
import type { Launch } from '../../../src/devices/device.ts';
import { nodeGpu } from '../../../src/devices/webgpu/node.ts';
import { audit, expectFailure, expectOnly, Lab, MARS } from './lab.ts';

const lab = new Lab();
beforeAll(() => lab.open(), 120_000);
afterEach(() => setDeviceSources({ findGpu: nodeGpu, createCpuDevice }));
afterAll(() => lab.remove());

/** What a wrong CPU device makes of a launch. */
type Fault = (launch: Launch) => Launch;

function breakCpu(fault: Fault): void {
  setDeviceSources({
    findGpu: nodeGpu,
    async createCpuDevice(options) {
      const device = await createCpuDevice(options);
      const launch = device.launch.bind(device) as (launch: Launch) => void;
      device.launch = ((own: Launch) => launch(fault(own))) as typeof device.launch;
      return device;
    },
  });
}

const withParams =
  (kernel: string, change: (params: Record<string, number>) => Record<string, number>): Fault =>
  (launch) => {
    if (launch.kernel.name !== kernel) return launch;
    const params = launch.params as Record<string, number>;
    return { ...launch, params: { ...params, ...change(params) } } as Launch;
  };

/** relu as x·1 + 0: the maximum with zero is left out. */
const noMaximum: Fault = (launch) => {
  const isRelu = launch.kernel.name === 'unary' && (launch.constants as { operator?: string }).operator === 'relu';
  if (!isRelu) return launch;
  const params = { ...(launch.params as object), alpha: 1, beta: 0 };
  return { ...launch, constants: { operator: 'affine' }, params } as unknown as Launch;
};

interface Case {
  readonly what: string;
  readonly fault: Fault;
  /** The recorded step in which it is looked for. */
  readonly step: 1 | 6;
  /** The launch that the replay names. */
  readonly kernel: RegExp;
  /** The check that finds it by mathematics alone, and where. */
  readonly mathematics: readonly [id: string, place: RegExp];
}

const CASES: readonly Case[] = [
  {
    what: 'a wrong stride',
    step: 1,
    fault: withParams('conv2d', ({ strideHeight }) => ({ strideHeight: Math.max(1, strideHeight! - 1) })),
    kernel: /\(conv2d\), y.*layer2\.0\.conv1/,
    mathematics: ['batch-norm', /step 1, layer2\.0\.bn1, channel \d+ \| its running mean/],
  },
  {
    what: 'a missing maximum',
    step: 1,
    fault: noMaximum,
    kernel: /\(unary\), out/,
    mathematics: ['gradient', /step 1 \| its loss is said to be/],
  },
  {
    what: 'an off-by-one row in the projection',
    step: 1,
    fault: withParams('projectRows', ({ rowCount }) => ({ rowCount: rowCount! - 1 })),
    kernel: /\(projectRows\), weights = parameters/,
    mathematics: ['projection', /step 1, linear, row 1 \| its distance is/],
  },
  {
    what: 'a dropped momentum term',
    step: 6,
    fault: withParams('sgdUpdate', () => ({ momentum: 0 })),
    kernel: /step 6, launch \d+ \(sgdUpdate\), velocity/,
    mathematics: ['update', /step 6, velocity of conv1\.weight, element \d+ \| is/],
  },
];

describe('a run made by a wrong kernel', () => {
  it.each(CASES)('$what: found by replay, and by mathematics on a sound device', async (one) => {
    const { what, fault, kernel, mathematics, step } = one;
    breakCpu(fault);
    const run = await lab.finetune(what.replaceAll(' ', '-'), MARS);
    expectFailure(await audit(run, ['kernels'], [step]), 'kernels', kernel);
    setDeviceSources({ findGpu: nodeGpu, createCpuDevice });
    const report = await audit(run, ['log-chain', 'inputs', mathematics[0]], [step]);
    expectOnly(report, mathematics[0]);
    expectFailure(report, mathematics[0], mathematics[1]);
  });

  it('does not come again on a sound device', async () => {
    const report = await audit(lab.path('a-dropped-momentum-term'), ['log-chain', 'inputs', 'state'], [6]);
    expectOnly(report, 'state');
  });
});
