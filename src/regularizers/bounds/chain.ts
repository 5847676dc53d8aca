/**
 * A network as the bounds see it: the chain of its linear maps in the order in which they are applied, each with the weights that it
 * has now and those that it began with.
 *
 *   x → W_L·φ(… φ(W_2·φ(W_1·x)))      φ: ReLU, pooling, flattening; maps that expand no norm
 *
 * A Linear is a 1×1 convolution of a 1×1 map. A BatchNorm in evaluation mode is the diagonal matrix δ = γ/√(σ² + ε), and multiplies the
 * rows of the convolution before it (W ← diag(δ)·W, with the layer's own ε, and with γ⁰ and σ₀² for W⁰). Where no convolution stands
 * before it, it is a layer of its own: a depthwise 1×1 convolution. Biases, β and running means are left out, as the theorems have none.
 *
 * The theorems are about chains. Whether a network is one is read off the recorded graph of a forward pass: it is none where an
 * operation joins two paths from the input (a residual sum, a gate).
 */
import type { Conv2dParams } from '../../kernels/conv2d.ts';
import { hookOutputs } from '../../nn/hooks.ts';
import { BatchNorm2d, Conv2d, Linear } from '../../nn/layers.ts';
import type { Module } from '../../nn/module.ts';
import { pair } from '../../ops/conv2d.ts';
import { zeros } from '../../tensor/create.ts';
import { scope } from '../../tensor/scope.ts';
import { type Shape, shapeText, sizeOf } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { AnchorState } from '../anchors.ts';

export interface ChainLayer {
  /** Dotted names; with the BatchNorm that is folded in: `conv1 + bn1`. */
  readonly name: string;
  readonly kind: 'conv2d' | 'linear' | 'batchNorm2d';
  readonly isHead: boolean;
  /** One image through the layer: sizes of its maps, stride, padding, … */
  readonly geometry: Conv2dParams;
  /** (out, in/groups, kh, kw) as it is now, and as it was. */
  readonly weight: Float64Array;
  readonly start: Float64Array;
}

export interface Chain {
  readonly layers: readonly ChainLayer[];
  /** Elements of one input. */
  readonly inputs: number;
  /** Length of the logits. */
  readonly outputs: number;
  /** What the theorems do not cover, in words; empty for a chain of linear maps, ReLUs and pooling. */
  readonly outside: readonly string[];
}

export interface ChainOptions {
  /** (C, H, W) of one input. */
  readonly inputShape: Shape;
  /** The classifier's dotted name. Default: the model's own `headName`. */
  readonly headName?: string;
  /** What the classifier began as: zero (default, as for the balls), or its values in the starting state. */
  readonly headAnchor?: 'zero' | 'initial';
}

type Layer = Conv2d | Linear | BatchNorm2d;
interface Call {
  readonly name: string;
  readonly module: Layer;
  readonly input: Tensor;
  readonly output: Tensor;
}

/**
 * The chain of `model`, which is put into evaluation mode. `start` is the state dict that it began with. Throws where `start` lacks a
 * layer, or has it in another shape.
 */
export async function chainOf(model: Module, start: AnchorState, options: ChainOptions): Promise<Chain> {
  const headName = options.headName ?? Reflect.get(model, 'headName');
  const { calls, outputs, outside } = scope(() => traced(model, options.inputShape));
  const layers: ChainLayer[] = [];
  for (const { convolution, norm, geometry } of calls) {
    const { name, kind } = describe(convolution, norm);
    const isHead = name === headName;
    const began = isHead && options.headAnchor !== 'initial' ? 'zero' : start;
    const weight = await foldedWeight(convolution, norm, 'now');
    layers.push({ name, kind, isHead, geometry, weight, start: await foldedWeight(convolution, norm, began) });
  }
  if (layers.length === 0) throw new Error('bounds: the model runs no Linear, Conv2d or BatchNorm2d');
  return { layers, inputs: sizeOf(options.inputShape), outputs, outside };
}

/** A convolution or Linear, the BatchNorm right behind it, or a BatchNorm alone. */
interface Member {
  readonly convolution: { readonly name: string; readonly module: Conv2d | Linear } | null;
  readonly norm: { readonly name: string; readonly module: BatchNorm2d } | null;
  readonly geometry: Conv2dParams;
}

function describe(convolution: Member['convolution'], norm: Member['norm']): Pick<ChainLayer, 'name' | 'kind'> {
  const name = [convolution, norm].flatMap((part) => part?.name ?? []).join(' + ');
  if (!convolution) return { name, kind: 'batchNorm2d' };
  return { name, kind: convolution.module instanceof Conv2d ? 'conv2d' : 'linear' };
}

/** Runs an input of zeros through the model. Plain values only leave it: the tensors end with the scope. */
function traced(model: Module, inputShape: Shape): { calls: Member[]; outputs: number; outside: string[] } {
  const modules = model.namedModules();
  const isLayer = (module: Module): module is Layer =>
    module instanceof Conv2d || module instanceof Linear || module instanceof BatchNorm2d;
  const names = [...modules].filter(([, module]) => isLayer(module)).map(([name]) => name);
  const calls: Call[] = [];
  const unhook = hookOutputs(model, names, (output, name, input) => {
    calls.push({ name, module: modules.get(name) as Layer, input, output });
    return output;
  });
  try {
    const x = zeros([1, ...inputShape], { device: model.device, requiresGrad: true });
    const logits = model.eval().forward(x);
    return { calls: membersOf(calls), outputs: logits.size, outside: outsideOfTheorems(model, calls, x, logits) };
  } finally {
    unhook();
  }
}

function membersOf(calls: readonly Call[]): Member[] {
  const norms = new Map(calls.filter(({ module }) => module instanceof BatchNorm2d).map((call) => [call.input, call]));
  const followed = new Set<Call>();
  return calls.flatMap((call): Member[] => {
    const { name, module, output } = call;
    const geometry = geometryOf(call);
    if (module instanceof BatchNorm2d)
      return followed.has(call) ? [] : [{ convolution: null, norm: { name, module }, geometry }];
    const next = module instanceof Conv2d ? norms.get(output) : undefined;
    if (next) followed.add(next);
    const norm = next ? { name: next.name, module: next.module as BatchNorm2d } : null;
    return [{ convolution: { name, module }, norm, geometry }];
  });
}

function geometryOf({ module, input, output }: Call): Conv2dParams {
  const [, inChannels = 1, inHeight = 1, inWidth = 1] = input.shape;
  const [, outChannels = 1, outHeight = 1, outWidth = 1] = output.shape;
  const plain = {
    strideHeight: 1,
    strideWidth: 1,
    paddingHeight: 0,
    paddingWidth: 0,
    dilationHeight: 1,
    dilationWidth: 1,
  };
  if (module instanceof Linear) {
    // (…, in): every position in front of the last axis is a place of its map.
    const places = { inHeight: input.size / module.inFeatures, inWidth: 1 };
    const { inFeatures: inChannels, outFeatures: outChannels } = module;
    const map = { ...places, outHeight: places.inHeight, outWidth: 1, kernelHeight: 1, kernelWidth: 1 };
    return { batch: 1, inChannels, outChannels, groups: 1, ...map, ...plain };
  }
  const sizes = { batch: 1, inChannels, inHeight, inWidth, outChannels, outHeight, outWidth };
  if (module instanceof BatchNorm2d) return { ...sizes, kernelHeight: 1, kernelWidth: 1, groups: inChannels, ...plain };
  const [kernelHeight, kernelWidth] = module.weight.shape.slice(2) as [number, number];
  const [strideHeight, strideWidth] = pair(module.stride);
  const [paddingHeight, paddingWidth] = pair(module.padding);
  const [dilationHeight, dilationWidth] = pair(module.dilation);
  const window = { strideHeight, strideWidth, paddingHeight, paddingWidth, dilationHeight, dilationWidth };
  return { ...sizes, kernelHeight, kernelWidth, groups: module.groups, ...window };
}

/** diag(δ)·W of the present weights, of a state dict, or zero. */
async function foldedWeight(
  convolution: Member['convolution'],
  norm: Member['norm'],
  source: 'now' | 'zero' | AnchorState,
): Promise<Float64Array> {
  const read = async (name: string, tensor: Tensor): Promise<Float64Array> => {
    if (source === 'zero') return new Float64Array(tensor.size);
    const values = source === 'now' ? await tensor.data() : source.get(name)?.data;
    if (values?.length !== tensor.size) {
      const found = values ? `${values.length} values` : 'nothing';
      throw new RangeError(
        `the starting point holds ${found} for ${name}, which has the shape ${shapeText(tensor.shape)}`,
      );
    }
    return Float64Array.from(values as ArrayLike<number>);
  };
  if (!norm) return read(`${convolution!.name}.weight`, convolution!.module.weight);
  const { name, module } = norm;
  const gamma = await read(`${name}.weight`, module.weight);
  const variance = await read(`${name}.running_var`, module.runningVariance);
  const scale = gamma.map((value, channel) => value / Math.sqrt(variance[channel]! + module.epsilon));
  if (!convolution) return scale;
  const weight = await read(`${convolution.name}.weight`, convolution.module.weight);
  const rowLength = weight.length / scale.length;
  return weight.map((value, i) => value * scale[Math.floor(i / rowLength)]!);
}

/**
 * Operations between the layers that average or move elements, or are ReLU or pooling. Averages are seen by their parts (a sum, a
 * division): a sum or a scaling that stands alone is not told from them.
 */
const COVERED = new Set(
  'conv2d matmul batchNorm relu maxPool2d avgPool2d sum divide multiply affine add reshape permute slice embed subsample'.split(
    ' ',
  ),
);

/** Sentences about what is no chain of linear maps and ReLUs. */
function outsideOfTheorems(model: Module, calls: readonly Call[], x: Tensor, logits: Tensor): string[] {
  const { joins, operations } = pathsFrom(x, logits);
  const owned = new Set(calls.flatMap(({ module }) => [module.weight, module.bias]));
  const other = [...model.namedParameters()].filter(([, parameter]) => !owned.has(parameter)).map(([name]) => name);
  const unknown = operations.filter((operation) => !COVERED.has(operation));
  return [
    ...(joins.length > 0 ? [`paths are joined (residual connections or gates): ${counted(joins)}`] : []),
    ...(unknown.length > 0 ? [`operations that are no linear map, ReLU or pooling: ${counted(unknown)}`] : []),
    ...(other.length > 0 ? [`parameters that belong to no Linear, Conv2d or BatchNorm2d: ${other.join(', ')}`] : []),
  ];
}

function counted(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count === 1 ? name : `${count} × ${name}`)).join(', ');
}

/** The operations through which `output` depends on `x`, and those of them that take it in more than once. */
function pathsFrom(x: Tensor, output: Tensor): { operations: string[]; joins: string[] } {
  const found = new Set<Tensor>();
  const pending = [output];
  while (pending.length > 0) {
    const tensor = pending.pop()!;
    if (found.has(tensor)) continue;
    found.add(tensor);
    pending.push(...(tensor.node?.inputs ?? []));
  }
  const computed = [...found].filter(({ node }) => node !== null).sort((a, b) => a.node!.id - b.node!.id);
  const dependent = new Set([x]);
  const operations: string[] = [];
  const joins: string[] = [];
  for (const tensor of computed) {
    const ways = tensor.node!.inputs.filter((input) => dependent.has(input)).length;
    if (ways === 0) continue;
    dependent.add(tensor);
    operations.push(tensor.node!.operation);
    if (ways > 1) joins.push(tensor.node!.operation);
  }
  return { operations, joins };
}
