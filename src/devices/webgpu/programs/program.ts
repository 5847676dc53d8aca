/**
 * What the WebGPU device adds to a kernel definition: its WGSL and how many workgroups a launch needs.
 *
 * The WGSL keeps to the contract by name and order (`test/devices/webgpu/shaders.test.ts` holds it to that):
 *   - `override`s are named as the kernel's constants: a bool is `override x: bool`, an enumerated constant is
 *     `override x: u32` with the index in the definition's list; further overrides (tile sizes) come from `overrides`;
 *   - `struct Params` has the kernel's parameters in order (`…x8` is `array<vec4<T>, 2>`), bound at
 *     `@group(0) @binding(0) var<uniform> params: Params`;
 *   - the kernel's buffers follow at `@binding(1)`…, `read` as `var<storage, read>`, the rest as `read_write`;
 *   - the entry point is `main`.
 */
import type {
  AnyKernel,
  BufferSpecs,
  ConstantSpecs,
  ConstantValues,
  KernelDefinition,
  ParamSpecs,
  ParamValues,
} from '../../../kernels/contract.ts';

/** Workgroups of a dispatch along x, y and z. A zero means that there is nothing to do. */
export type Grid = readonly [x: number, y: number, z: number];

export type Overrides = Readonly<Record<string, number>>;

/** What may decide tile sizes: facts of the device, never of the data. */
export interface DeviceTraits {
  readonly isSoftware: boolean;
  /** Lower-case, as the adapter reports them; empty where it does not say. */
  readonly vendor: string;
  readonly architecture: string;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupStorageSize: number;
}

export interface ProgramDefinition<C extends ConstantSpecs, P extends ParamSpecs> {
  /** Valid WGSL as it stands. */
  readonly source: string;
  /** Values of the overrides that are not constants of the contract. Few values each: every set compiles a pipeline. */
  overrides?(params: ParamValues<P>, constants: ConstantValues<C>, traits: DeviceTraits): Overrides;
  /** `overrides` are those that the function above returned for this launch. */
  workgroups(params: ParamValues<P>, constants: ConstantValues<C>, overrides: Overrides): Grid;
}

// biome-ignore lint/suspicious/noExplicitAny: a heterogeneous table needs the erased form
type AnyDefinition = ProgramDefinition<any, any>;

/** A program with its types forgotten: what the device handles. */
export interface Program extends AnyDefinition {
  readonly kernel: AnyKernel;
}

/** Joins a kernel definition with its WGSL; the parameters' types come from the kernel. */
export function defineProgram<C extends ConstantSpecs, P extends ParamSpecs, B extends BufferSpecs>(
  kernel: KernelDefinition<C, P, B>,
  definition: ProgramDefinition<C, P>,
): Program {
  return Object.freeze({ ...definition, kernel });
}

/** WebGPU's smallest guaranteed (and every implementation's actual) limit of workgroups per dimension. */
export const MAX_WORKGROUPS_PER_DIMENSION = 65_535;

/**
 * Spreads `count` workgroups over x and y so that neither exceeds the limit. The shader finds its linear index as
 * `workgroup_id.y * num_workgroups.x + workgroup_id.x` and must ignore indices beyond `count`.
 */
export function linearGrid(count: number): Grid {
  if (count <= MAX_WORKGROUPS_PER_DIMENSION) return [count, count > 0 ? 1 : 0, 1];
  const rows = Math.ceil(count / MAX_WORKGROUPS_PER_DIMENSION);
  return [Math.ceil(count / rows), rows, 1];
}

/** The grid of a one-dimensional map of which a workgroup takes `perWorkgroup` elements. */
export function mapGrid(elements: number, perWorkgroup = 256): Grid {
  return linearGrid(Math.ceil(elements / perWorkgroup));
}
