import '../../src/ops/methods.ts';
import { describe, expect, it } from 'vitest';
import { convolutionCases, matmulCases } from '../../bench/cases/kernels.ts';
import { RecordingDevice, Replay, recordPlan, totalBytes, totalFlops } from '../../bench/plan.ts';
import type { Device } from '../../src/devices/device.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { conv2d } from '../../src/ops/conv2d.ts';
import { uniform } from '../../src/tensor/create.ts';
import { observeLaunches } from '../../src/tensor/launch.ts';
import { scope } from '../../src/tensor/scope.ts';

/** Forward and backward of a convolution with ReLU; the weights outlive the step. */
function smallStep(device: Device): () => void {
  const w = uniform([4, 3, 3, 3], 1, { device, requiresGrad: true });
  return () =>
    scope(() => {
      const x = uniform([2, 3, 6, 6], 2, { device });
      conv2d(x, w, { padding: 1 }).relu().sum().backward();
    });
}

function launchedNames(step: () => void): string[] {
  const names: string[] = [];
  const stop = observeLaunches(({ kernel }) => names.push(kernel.name));
  step();
  stop();
  return names;
}

describe('a recorded plan', () => {
  it('is what a device that computes is given', () => {
    const plan = recordPlan(smallStep(new RecordingDevice()));
    const names = plan.launches.map(({ kernel }) => kernel.name);
    expect(names).toContain('conv2dWeightGrad');
    expect(names).toEqual(launchedNames(smallStep(new ReferenceDevice())));
  });

  it('can be replayed again and again in the same memory', async () => {
    const device = new ReferenceDevice();
    const plan = recordPlan(smallStep(new RecordingDevice()));
    const before = device.memory().liveBytes;
    const replay = new Replay(device, plan);
    const inputs = device.memory().liveBytes;
    expect(inputs).toBeGreaterThan(before);
    replay.run();
    replay.run();
    await device.synchronize();
    expect(device.memory().liveBytes).toBe(inputs);
    replay.close();
    expect(device.memory().liveBytes).toBe(before);
  });

  it('counts the work of its launches', () => {
    const [one] = matmulCases([16]);
    expect(totalFlops(one!.plan)).toBe(2 * 16 ** 3);
    expect(totalBytes(one!.plan)).toBe(3 * 4 * 16 ** 2);
  });
});

describe('the convolutions of a network', () => {
  const cases = convolutionCases('resnet20', 4, 32);

  it('are those that it has, each once, in all passes', () => {
    const names = cases.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => name.endsWith('forward'))).toEqual([
      '3→16 3×3 32² forward',
      '16→16 3×3 32² forward',
      '16→32 3×3/2 32² forward',
      '32→32 3×3 16² forward',
      '32→64 3×3/2 16² forward',
      '64→64 3×3 8² forward',
    ]);
    // The images need no gradient.
    expect(names.filter((name) => name.endsWith('input gradient'))).toHaveLength(5);
    expect(names.filter((name) => name.endsWith('weight gradient'))).toHaveLength(6);
  });

  it('add up the partial sums of a weight gradient where there are several', () => {
    const kernelsOf = (name: string) =>
      cases.find((one) => one.name === name)!.plan.launches.map(({ kernel }) => kernel.name);
    const { launches } = convolutionCases('resnet20', 64, 32).find(
      ({ name }) => name === '16→16 3×3 32² weight gradient',
    )!.plan;
    expect(launches.map(({ kernel }) => kernel.name)).toEqual(['conv2dWeightGrad', 'reduce']);
    expect(kernelsOf('64→64 3×3 8² weight gradient')).toEqual(['conv2dWeightGrad']);
  });
});
