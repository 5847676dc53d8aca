/**
 * Keras's ResNet-50, 101 and 152 (the first version, after Caffe's) as torchvision's: names and layouts, and what else differs.
 *
 *   res4c_branch2a/kernel   conv4_block3_1_conv/kernel    layer3.2.conv1.weight      (h, w, in, out) → (out, in, h, w)
 *   bn4c_branch2a/gamma     conv4_block3_1_bn/gamma       layer3.2.bn1.weight
 *   res4a_branch1/kernel    conv4_block1_0_conv/kernel    layer3.0.downsample.0.weight
 *   fc1000/kernel           predictions/kernel            fc.weight                  (in, out) → (out, in)
 *
 * A convolution's bias, which torchvision's layers have not, goes into the running mean of the BatchNorm behind it: the same function.
 * The networks see BGR pixels 0 … 255 less the mean colour; here the first kernel's input channels are turned round instead, and
 * (x − m/255)/(1/255) of an RGB pixel x in 0 … 1 is the same number.
 */
import { WeightFileError } from '../errors.ts';
import { type StateDict, type StateEntry, stateEntry } from '../state.ts';
import type { LayersModel } from './layersModel.ts';

export interface KerasResNet {
  readonly network: 'resnet50' | 'resnet101' | 'resnet152';
  /** By torchvision's names. */
  readonly state: StateDict;
  /** ε of its BatchNorms. */
  readonly epsilon: number;
  /** A stage halves the image in the first 1×1 convolution of its first block. */
  readonly strideIn1x1: boolean;
  readonly mean: readonly [number, number, number];
  readonly deviation: readonly [number, number, number];
}

/** Caffe's mean colour, red green blue, of 0 … 255. */
const MEAN = [123.68, 116.779, 103.939] as const;

const NETWORKS: Readonly<Record<string, KerasResNet['network']>> = {
  '3,4,6,3': 'resnet50',
  '3,4,23,3': 'resnet101',
  '3,8,36,3': 'resnet152',
};

const PARAMETERS: Readonly<Record<string, string>> = {
  gamma: 'weight',
  beta: 'bias',
  moving_mean: 'running_mean',
  moving_variance: 'running_var',
  kernel: 'weight',
  bias: 'bias',
};

/** Where a layer of Keras's lies in torchvision's network; undefined for a layer that it has not. */
export function torchvisionModule(layer: string): string | undefined {
  if (/^(conv1|conv1_conv)$/.test(layer)) return 'conv1';
  if (/^(bn_conv1|conv1_bn)$/.test(layer)) return 'bn1';
  if (/^(fc1000|predictions)$/.test(layer)) return 'fc';
  const old = /^(res|bn)([2-5])([a-z])(\d*)_branch(1|2[abc])$/.exec(layer);
  if (old) {
    const [, kind, stage, letter, number, branch] = old;
    const block = number ? Number(number) : letter!.charCodeAt(0) - 97;
    return moduleAt(Number(stage), block, branch === '1' ? 0 : branch!.charCodeAt(1) - 96, kind === 'bn');
  }
  const now = /^conv([2-5])_block(\d+)_([0-3])_(conv|bn)$/.exec(layer);
  return now ? moduleAt(Number(now[1]), Number(now[2]) - 1, Number(now[3]), now[4] === 'bn') : undefined;
}

function moduleAt(stage: number, block: number, convolution: number, isBatchNorm: boolean): string {
  const place = `layer${stage - 1}.${block}`;
  if (convolution === 0) return `${place}.downsample.${isBatchNorm ? 1 : 0}`;
  return `${place}.${isBatchNorm ? 'bn' : 'conv'}${convolution}`;
}

/** The BatchNorm behind a convolution, in torchvision's names. */
const normAfter = (convolution: string): string =>
  convolution.endsWith('downsample.0')
    ? convolution.replace(/0$/, '1')
    : convolution.replace(/conv(\d)$/, (_, number) => `bn${number}`);

/** Throws WeightFileError where the model is none of the three. */
export function readKerasResNet({ weights, layers }: LayersModel, source: string): KerasResNet {
  const state: StateDict = new Map();
  const biases = new Map<string, Float32Array>();
  for (const [name, entry] of weights) {
    const [layer, parameter] = splitName(name);
    const module = torchvisionModule(layer);
    const member = PARAMETERS[parameter];
    if (module === undefined || member === undefined)
      throw new WeightFileError(source, `is no ResNet-50, 101 or 152 of Keras's first version: it has ${name}.`);
    if (parameter === 'bias' && module !== 'fc') biases.set(module, entry.data as Float32Array);
    else state.set(`${module}.${member}`, parameter === 'kernel' ? transposed(entry, module === 'conv1') : entry);
  }
  for (const [convolution, bias] of biases) subtract(state, `${normAfter(convolution)}.running_mean`, bias, source);
  const network = NETWORKS[blocksOf(state).join()];
  if (!network)
    throw new WeightFileError(source, `is no ResNet-50, 101 or 152: its stages have ${blocksOf(state)} blocks.`);
  return {
    network,
    state,
    epsilon: epsilonOf(layers, source),
    strideIn1x1: strides(layers),
    mean: MEAN.map((value) => value / 255) as unknown as KerasResNet['mean'],
    deviation: [1 / 255, 1 / 255, 1 / 255],
  };
}

/** `conv1/kernel`, or with scopes before it `resnet50/conv1/kernel:0`. */
function splitName(name: string): [layer: string, parameter: string] {
  const parts = name.replace(/:0$/, '').split('/');
  return [parts.at(-2) ?? '', parts.at(-1)!];
}

/** (h, w, in, out) → (out, in, h, w), or (in, out) → (out, in); `reversed`: input channels from the last to the first. */
function transposed({ shape, data }: StateEntry, reversed: boolean): StateEntry {
  const values = data as Float32Array;
  const [inputs, outputs] = shape.slice(-2) as [number, number];
  const window = shape.slice(0, -2).reduce((product, extent) => product * extent, 1);
  const result = new Float32Array(values.length);
  for (let place = 0; place < window; place++) {
    for (let i = 0; i < inputs; i++) {
      const channel = reversed ? inputs - 1 - i : i;
      for (let o = 0; o < outputs; o++)
        result[(o * inputs + channel) * window + place] = values[(place * inputs + i) * outputs + o]!;
    }
  }
  return stateEntry([outputs, inputs, ...shape.slice(0, -2)], result);
}

function subtract(state: StateDict, name: string, bias: Float32Array, source: string): void {
  const mean = state.get(name);
  if (mean?.data.length !== bias.length)
    throw new WeightFileError(source, `has a bias, but no BatchNorm, for ${name}.`);
  const values = mean.data as Float32Array;
  state.set(
    name,
    stateEntry(
      mean.shape,
      values.map((value, i) => value - bias[i]!),
    ),
  );
}

const blocksOf = (state: StateDict): number[] =>
  [1, 2, 3, 4].map((stage) => {
    const blocks = [...state.keys()].flatMap((name) => new RegExp(`^layer${stage}\\.(\\d+)\\.`).exec(name)?.[1] ?? []);
    return new Set(blocks).size;
  });

function epsilonOf(layers: LayersModel['layers'], source: string): number {
  const found = new Set(
    [...layers.values()]
      .filter(({ className }) => className.startsWith('BatchNormalization'))
      .map(({ config }) => config.epsilon),
  );
  const [epsilon] = found;
  if (found.size !== 1 || typeof epsilon !== 'number')
    throw new WeightFileError(source, `its BatchNorms have the ε ${[...found].join(', ')}; needed: one and the same.`);
  return epsilon;
}

/** Whether the first convolution of the third stage's first block has a stride. */
function strides(layers: LayersModel['layers']): boolean {
  const first = [...layers].find(([name]) => torchvisionModule(name) === 'layer2.0.conv1');
  return Array.isArray(first?.[1].config.strides) && first[1].config.strides[0] === 2;
}
