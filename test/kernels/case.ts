/** One launch to be tried on every device: what it is specialised on, its parameters, and the contents of its inputs. */
import fc from 'fast-check';
import type {
  AnyKernel,
  BufferSpec,
  BufferSpecs,
  ConstantSpecs,
  ConstantType,
  ConstantValues,
  KernelDefinition,
  ParamSpecs,
  ParamValues,
} from '../../src/kernels/contract.ts';
import { Data } from './data.ts';

export type Constants = Readonly<Record<string, boolean | string>>;
export type Params = Readonly<Record<string, number | readonly number[]>>;

export interface KernelCase {
  readonly kernel: AnyKernel;
  readonly constants: Constants;
  readonly params: Params;
  /** The contents of every `read` and `readwrite` buffer. */
  readonly inputs: Readonly<Record<string, Float32Array | Int32Array>>;
}

/** What the tests know of a kernel: every combination of its constants, random launches for each, and chosen ones. */
export interface KernelCases {
  readonly kernel: AnyKernel;
  readonly combinations: readonly Constants[];
  random(constants: Constants): fc.Arbitrary<KernelCase>;
  readonly chosen: readonly KernelCase[];
}

type InputNames<B extends BufferSpecs> = {
  [K in keyof B]: B[K]['access'] extends 'write' ? never : K;
}[keyof B];
type ArrayOf<S extends BufferSpec> = S['type'] extends 'i32' ? Int32Array : Float32Array;
type Inputs<B extends BufferSpecs> = { readonly [K in InputNames<B>]: ArrayOf<B[K]> };

interface Description<C extends ConstantSpecs, P extends ParamSpecs, B extends BufferSpecs> {
  params(constants: ConstantValues<C>): fc.Arbitrary<ParamValues<P>>;
  /** `sizes` are the elements of each buffer. */
  inputs(
    data: Data,
    sizes: { readonly [K in keyof B]: number },
    params: ParamValues<P>,
    constants: ConstantValues<C>,
  ): Inputs<B>;
  /** Launches that are always tried: large enough to fill tiles and to round, or at an edge. */
  readonly chosen?: readonly (readonly [ConstantValues<C>, ParamValues<P>])[];
}

export function describeCases<C extends ConstantSpecs, P extends ParamSpecs, B extends BufferSpecs>(
  kernel: KernelDefinition<C, P, B>,
  description: Description<C, P, B>,
): KernelCases {
  const build = (constants: ConstantValues<C>, unrounded: ParamValues<P>, seed: number): KernelCase => {
    const params = roundParams(kernel.params, unrounded as Params) as ParamValues<P>;
    const inputs = description.inputs(new Data(seed), kernel.sizes(params, constants), params, constants);
    return printable({ kernel, constants: constants as Constants, params: params as Params, inputs });
  };
  return {
    kernel,
    combinations: combinations(kernel.constants),
    random: (constants) =>
      fc
        .tuple(description.params(constants as ConstantValues<C>), fc.nat())
        .map(([params, seed]) => build(constants as ConstantValues<C>, params, seed)),
    chosen: (description.chosen ?? []).map(([constants, params], i) => build(constants, params, i)),
  };
}

/** Every assignment of the constants. */
function combinations(specs: ConstantSpecs): Constants[] {
  const values = (type: ConstantType): readonly (boolean | string)[] => (type === 'bool' ? [false, true] : type);
  return Object.entries(specs).reduce<Constants[]>(
    (partial, [name, type]) => partial.flatMap((chosen) => values(type).map((v) => ({ ...chosen, [name]: v }))),
    [{}],
  );
}

/** Devices hold float32; a float64 reference that saw other parameters than they did would blame them for it. */
function roundParams(specs: ParamSpecs, params: Params): Params {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      specs[name] === 'f32' && typeof value === 'number' ? Math.fround(value) : value,
    ]),
  );
}

/** Counterexamples show the launch; the contents follow from the seed. */
function printable(launch: KernelCase): KernelCase {
  return Object.assign(launch, { [fc.toStringMethod]: () => describeLaunch(launch) });
}

export function describeLaunch({ kernel, constants, params }: KernelCase): string {
  return `${kernel.name} ${JSON.stringify({ ...constants, ...params })}`;
}
