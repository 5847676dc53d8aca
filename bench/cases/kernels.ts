/** What is timed on its own: launch lists with the work that their definitions count. */
import { createModel } from '../../src/nn/models/registry.ts';
import { batchNorm } from '../../src/ops/batchNorm.ts';
import { add, relu } from '../../src/ops/elementwise.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { maxPool2d } from '../../src/ops/pool.ts';
import { sum } from '../../src/ops/reduce.ts';
import { permute } from '../../src/ops/shape.ts';
import { SGD } from '../../src/optim/sgd.ts';
import { empty } from '../../src/tensor/create.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { choose, type Plan, RecordingDevice, recordPlan } from '../plan.ts';

export interface KernelCase {
  readonly group: string;
  readonly name: string;
  readonly plan: Plan;
}

const device = new RecordingDevice();

function input(shape: readonly number[], requiresGrad = false): Tensor {
  const made = empty(shape, 'f32', device);
  made.requiresGrad = requiresGrad;
  return made;
}

/** The launches of one of the named kernels in forward and backward of `body`. */
function launchesOf(kernels: readonly string[], body: () => Tensor): Plan {
  const whole = recordPlan(() => {
    const y = body();
    if (y.requiresGrad) y.backward({ gradient: input(y.shape) });
  });
  return choose(whole, ({ kernel }) => kernels.includes(kernel.name));
}

export function matmulCases(sizes: readonly number[]): KernelCase[] {
  return sizes.map((n) => ({
    group: 'matmul',
    name: `${n}×${n}×${n}`,
    plan: launchesOf(['matmul'], () => matmul(input([n, n]), input([n, n]))),
  }));
}

export function batchNormCases(shapes: readonly (readonly number[])[]): KernelCase[] {
  return shapes.flatMap((shape) => {
    const body = () => {
      const channel = (requiresGrad = false) => input([shape[1]!], requiresGrad);
      const [gamma, beta] = [channel(true), channel(true)];
      const running = { runningMean: channel(), runningVariance: channel() };
      return batchNorm(input(shape, true), { gamma, beta, ...running, useBatchStatistics: true });
    };
    const passes = {
      forward: ['batchNormStats', 'batchNormRunning', 'batchNormApply'],
      backward: ['batchNormGradParams', 'batchNormGradInput'],
    };
    return Object.entries(passes).map(([pass, kernels]) => ({
      group: 'batch-norm',
      name: `(${shape.join(', ')}) ${pass}`,
      plan: launchesOf(kernels, body),
    }));
  });
}

export function elementwiseCases(shape: readonly [number, number, number, number]): KernelCase[] {
  const of = `(${shape.join(', ')})`;
  const one = (requiresGrad = false) => input(shape, requiresGrad);
  const cases: Record<string, Plan> = {
    relu: launchesOf(['unary'], () => relu(one())),
    'relu gradient': launchesOf(['binary'], () => relu(one(true))),
    add: launchesOf(['binary'], () => add(one(), one())),
    'add per channel': launchesOf(['binary'], () => add(one(), input([1, shape[1], 1, 1]))),
    'accumulate a gradient': launchesOf(['accumulate'], () => relu(one(true))),
    'sum over images': launchesOf(['reduce'], () => sum(one(), 0)),
    'channels last': launchesOf(['stridedCopy'], () => permute(one(), [0, 2, 3, 1])),
  };
  return Object.entries(cases).map(([name, plan]) => ({ group: 'elementwise', name: `${name} ${of}`, plan }));
}

export function poolCases(shape: readonly number[]): KernelCase[] {
  const body = () => maxPool2d(input(shape, true), { kernelSize: 3, stride: 2, padding: 1 });
  return Object.entries({ forward: 'maxPool2d', backward: 'maxPool2dGrad' }).map(([pass, kernel]) => ({
    group: 'pooling',
    name: `max 3×3/2 (${shape.join(', ')}) ${pass}`,
    plan: launchesOf([kernel], body),
  }));
}

/** SGD with momentum over all parameters of a network. */
export function optimizerCases(network: string): KernelCase[] {
  const whole = recordPlan(() => {
    const parameters = createModel(network, { device }).parameters();
    new SGD(parameters, { learningRate: 0.1, momentum: 0.9, weightDecay: 1e-4, nesterov: true }).step();
  });
  const plan = choose(whole, ({ kernel }) => kernel.name === 'sgdUpdate');
  return [{ group: 'optimiser', name: `SGD over ${network}`, plan }];
}

const PASSES = { conv2d: 'forward', conv2dInputGrad: 'input gradient', conv2dWeightGrad: 'weight gradient' } as const;
type ConvolutionKernel = keyof typeof PASSES;

/** Every distinct convolution of a network's training step, in all its passes, as the step launches them. */
export function convolutionCases(network: string, batch: number, side: number): KernelCase[] {
  const whole = recordPlan(() => {
    const logits = createModel(network, { device }).forward(input([batch, 3, side, side]));
    logits.backward({ gradient: input(logits.shape) });
  });
  const cases = new Map<string, KernelCase>();
  for (const launch of whole.launches.filter(({ kernel }) => kernel.name in PASSES)) {
    const name = `${describeConvolution(launch.params)} ${PASSES[launch.kernel.name as ConvolutionKernel]}`;
    const output = launch.buffers.dw?.buffer;
    // The partial sums of a weight gradient are added up by a reduction, which belongs to it.
    const plan = choose(
      whole,
      (other) => other === launch || (other.kernel.name === 'reduce' && other.buffers.x?.buffer === output),
    );
    if (!cases.has(name)) cases.set(name, { group: `${network} convolutions, batch ${batch}`, name, plan });
  }
  const order = Object.values(PASSES);
  const passOf = ({ name }: KernelCase) => order.findIndex((pass) => name.endsWith(pass));
  return [...cases.values()].sort((a, b) => passOf(a) - passOf(b));
}

/** `16→32 3×3/2 32²`: channels, kernel, stride, side of the input. */
function describeConvolution(params: Readonly<Record<string, unknown>>): string {
  const { inChannels, outChannels, kernelHeight, kernelWidth, strideHeight, inHeight } = params;
  const stride = strideHeight === 1 ? '' : `/${strideHeight}`;
  return `${inChannels}→${outChannels} ${kernelHeight}×${kernelWidth}${stride} ${inHeight}²`;
}
