/**
 * Initial values of parameters: PyTorch's distributions, drawn on the host, so that a seed gives the same bytes on every device.
 *
 * fanIn and fanOut of a weight (out, in/groups, …kernel) are in/groups and out times the kernel's size.
 */
import type { Device } from '../devices/device.ts';
import { tensor, zeros } from '../tensor/create.ts';
import { Random } from '../tensor/random.ts';
import { type Shape, shapeText, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { assign } from './state.ts';

/** Draws the values of a tensor of that shape, row-major. */
export type Initializer = (shape: Shape, random: Random) => Float32Array;

let shared = new Random(0);

/** Restarts the generator of all layers that are given none of their own (seed 0 at the start of a program). */
export function manualSeed(seed: number): void {
  shared = new Random(seed);
}

/** The generator of all layers that are given none of their own. */
export const sharedRandom = (): Random => shared;

/** Where a layer's parameters live, and what their first values are drawn from. */
export interface LayerOptions {
  readonly device?: Device | undefined;
  /** Default: the generator that `manualSeed` restarts. Null: nothing is drawn, for weights that are loaded next; all are 0. */
  readonly random?: Random | null | undefined;
}

/** A new tensor with drawn values. */
export function drawn(shape: Shape, initializer: Initializer, options: LayerOptions = {}): Tensor {
  const { device, random = shared } = options;
  return random ? tensor(initializer(shape, random), { shape, device }) : zeros(shape, { device });
}

/** Redraws a tensor in place. */
export const initialize = (target: Tensor, initializer: Initializer, random: Random = shared): void =>
  assign(target, initializer(target.shape, random));

export type Fan = 'fanIn' | 'fanOut';

export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2)
    throw new RangeError(`a tensor of shape ${shapeText(shape)} has no fan; that takes two dimensions`);
  const kernel = sizeOf(shape.slice(2));
  return { fanIn: shape[1]! * kernel, fanOut: shape[0]! * kernel };
}

export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu';

/** The factor by which a nonlinearity shrinks a signal's standard deviation, inverted; `slope` is leakyRelu's. */
export function gain(nonlinearity: Nonlinearity, slope = 0.01): number {
  const gains = { linear: 1, sigmoid: 1, tanh: 5 / 3, relu: Math.SQRT2, leakyRelu: Math.sqrt(2 / (1 + slope * slope)) };
  return gains[nonlinearity];
}

function draw(shape: Shape, next: () => number): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  for (let i = 0; i < values.length; i++) values[i] = next();
  return values;
}

/** Uniform on [low, high). */
export const uniformBetween =
  (low: number, high: number): Initializer =>
  (shape, random) =>
    draw(shape, () => low + (high - low) * random.uniform());

export const normal =
  (mean: number, deviation: number): Initializer =>
  (shape, random) =>
    draw(shape, () => mean + deviation * random.normal());

export interface KaimingOptions {
  readonly fan?: Fan;
  readonly nonlinearity?: Nonlinearity;
  /** Negative slope of leakyRelu, PyTorch's `a`. Default 0, which is relu. */
  readonly slope?: number;
}

const kaimingDeviation = (shape: Shape, { fan = 'fanIn', nonlinearity = 'leakyRelu', slope = 0 }: KaimingOptions) =>
  gain(nonlinearity, slope) / Math.sqrt(fans(shape)[fan]);

/** Uniform on ±√3·gain/√fan (He et al. 2015). */
export const kaimingUniform =
  (options: KaimingOptions = {}): Initializer =>
  (shape, random) => {
    const bound = Math.sqrt(3) * kaimingDeviation(shape, options);
    return uniformBetween(-bound, bound)(shape, random);
  };

/** Normal with standard deviation gain/√fan (He et al. 2015). */
export const kaimingNormal =
  (options: KaimingOptions = {}): Initializer =>
  (shape, random) =>
    normal(0, kaimingDeviation(shape, options))(shape, random);

const xavierDeviation = (shape: Shape, factor: number): number => {
  const { fanIn, fanOut } = fans(shape);
  return factor * Math.sqrt(2 / (fanIn + fanOut));
};

/** Uniform on ±√3·factor·√(2/(fanIn + fanOut)) (Glorot and Bengio 2010). */
export const xavierUniform =
  (factor = 1): Initializer =>
  (shape, random) => {
    const bound = Math.sqrt(3) * xavierDeviation(shape, factor);
    return uniformBetween(-bound, bound)(shape, random);
  };

/** Normal with standard deviation factor·√(2/(fanIn + fanOut)) (Glorot and Bengio 2010). */
export const xavierNormal =
  (factor = 1): Initializer =>
  (shape, random) =>
    normal(0, xavierDeviation(shape, factor))(shape, random);

/** PyTorch's default for the weights of convolutions and dense layers: uniform on ±1/√fanIn. */
export const defaultWeight: Initializer = kaimingUniform({ slope: Math.sqrt(5) });

/** PyTorch's default for their biases: uniform on ±1/√fanIn of the weight. */
export const defaultBias = (weightShape: Shape): Initializer => {
  const { fanIn } = fans(weightShape);
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0;
  return uniformBetween(-bound, bound);
};
