/**
 * Runs on a WebGPU device whose compiler makes something else of a shader than it says: a wrong line is planted where the WGSL is handed to
 * the device. The files, and so all digests, are right. The replay on that device finds it; so does mathematics, or a device without the fault.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { setDeviceSources } from '../../../src/devices/choose.ts';
import { createCpuDevice } from '../../../src/devices/cpu/node.ts';
import { nodeGpu } from '../../../src/devices/webgpu/node.ts';
import { audit, expectFailure, Lab, MARS } from './lab.ts';

const lab = new Lab();
const sound = { findGpu: nodeGpu, createCpuDevice };
beforeAll(() => lab.open(), 120_000);
afterEach(() => setDeviceSources(sound));
afterAll(() => lab.remove());

interface Fault {
  /** Only in the shader that holds this. */
  readonly shader: string;
  readonly line: string;
  readonly planted: string;
}

/** A GPU object like Dawn's, whose devices compile the planted line. */
async function brokenGpu({ shader, line, planted }: Fault, onPlanted: () => void): Promise<GPU> {
  const gpu = await nodeGpu();
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) return adapter;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => {
      const device = await requestDevice(descriptor);
      const createShaderModule = device.createShaderModule.bind(device);
      device.createShaderModule = (module) => {
        const { code } = module;
        if (!code.includes(shader) || !code.includes(line)) return createShaderModule(module);
        onPlanted();
        return createShaderModule({ ...module, code: code.replaceAll(line, planted) });
      };
      return device;
    };
    return adapter;
  };
  return new Proxy(gpu, {
    get(target, name) {
      if (name === 'requestAdapter') return requestAdapter;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

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
    fault: { shader: 'fn cornersOf', line: '<i32>(j * params.strideWidth)', planted: '<i32>(j)' },
    kernel: /\(conv2d\), y.*layer2\.0\.conv1/,
    mathematics: ['batch-norm', /step 1, layer2\.0\.bn1, channel \d+ \| its running mean/],
  },
  {
    what: 'a missing maximum',
    step: 1,
    fault: { shader: 'RELU', line: 'select(value, 0.0, isNegative(value))', planted: 'value' },
    kernel: /\(unary\), out/,
    mathematics: ['gradient', /step 1 \| its loss is said to be/],
  },
  {
    what: 'an off-by-one row in the projection',
    step: 1,
    fault: { shader: 'radii', line: 'row >= params.rowCount', planted: 'row + 1u >= params.rowCount' },
    kernel: /\(projectRows\), weights = parameters/,
    mathematics: ['projection', /step 1, linear, row 1 \| its distance is/],
  },
  {
    what: 'a dropped momentum term',
    step: 6,
    fault: {
      shader: 'dampening',
      line: 'speed = params.momentum * velocity[i] + ',
      planted: 'speed = ',
    },
    kernel: /step 6, launch \d+ \(sgdUpdate\), velocity/,
    mathematics: ['update', /step 6, velocity of conv1\.weight, element \d+ \| is/],
  },
];

describe('a run made by a wrong shader', () => {
  it.each(CASES)('$what: found by replay, and by mathematics', async ({ what, fault, kernel, mathematics, step }) => {
    let planted = 0;
    const findGpu = () => brokenGpu(fault, () => planted++);
    setDeviceSources({ ...sound, findGpu });
    const run = await lab.finetune(what.replaceAll(' ', '-'), [...MARS, '--device', 'webgpu']);
    expect(planted, 'the line stands in no shader').toBeGreaterThan(0);
    expectFailure(await audit(run, ['kernels'], [step]), 'kernels', kernel);
    setDeviceSources(sound);
    const report = await audit(run, ['log-chain', 'inputs', mathematics[0]], [step]);
    expectFailure(report, mathematics[0], mathematics[1]);
    expect(report.checks.filter(({ status }) => status === 'fail').map(({ id }) => id)).toEqual([mathematics[0]]);
  });
});
