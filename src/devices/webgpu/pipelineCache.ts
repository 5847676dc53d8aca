/**
 * From (kernel, constants, overrides) to a compute pipeline, compiled once and asynchronously.
 *
 * Bind group layouts are stated, not derived from the shader, so that one layout serves all pipelines of a kernel and bind
 * groups survive a change of constants. Binding 0 is the parameter struct (a slot of one shared uniform buffer, chosen by
 * a dynamic offset); the kernel's buffers follow in the contract's order.
 */
import { type BufferSpec, type ConstantSpecs, type ConstantType, paramLayout } from '../../kernels/contract.ts';
import type { Limits } from './adapter.ts';
import { SHADER_STAGE_COMPUTE } from './constants.ts';
import type { Overrides, Program } from './programs/program.ts';

/** What all pipelines of one kernel have in common. */
export interface ProgramState {
  readonly id: number;
  readonly program: Program;
  readonly name: string;
  readonly constants: readonly (readonly [name: string, type: ConstantType])[];
  readonly buffers: readonly (readonly [name: string, spec: BufferSpec])[];
  readonly paramBytes: number;
  readonly bindGroupLayout: GPUBindGroupLayout;
  readonly pipelineLayout: GPUPipelineLayout;
  readonly pipelines: Map<string, PipelineEntry>;
}

export interface PipelineEntry {
  /** Undefined while it is being compiled. */
  pipeline: GPUComputePipeline | undefined;
  /** Resolves when `pipeline` is set; rejects with the compiler's message and the kernel's name. */
  readonly ready: Promise<void>;
}

type ConstantChoice = Readonly<Record<string, boolean | string>>;

/** WGSL reserves `operator`, which the contract uses as a name; it gets an underscore. */
const RESERVED = new Set(['operator']);
export function wgslName(name: string): string {
  return RESERVED.has(name) ? `${name}_` : name;
}

/** The number that a constant's value is in WGSL: 0 or 1 for a bool, the index in the list for a name. */
export function constantNumber(name: string, type: ConstantType, value: boolean | string | undefined): number {
  if (type === 'bool') {
    if (typeof value === 'boolean') return value ? 1 : 0;
    throw new TypeError(`constant '${name}' is ${value}, not a boolean`);
  }
  const index = type.indexOf(value as string);
  if (index < 0) throw new TypeError(`constant '${name}' is ${value}, not one of ${type.join(', ')}`);
  return index;
}

export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #limits: Limits;
  readonly #states = new Map<Program, ProgramState>();

  constructor(device: GPUDevice, limits: Limits) {
    this.#device = device;
    this.#limits = limits;
  }

  /** Pipelines compiled or being compiled. */
  get size(): number {
    let size = 0;
    for (const state of this.#states.values()) size += state.pipelines.size;
    return size;
  }

  state(program: Program): ProgramState {
    let state = this.#states.get(program);
    if (state === undefined) {
      state = this.#createState(program);
      this.#states.set(program, state);
    }
    return state;
  }

  /** Starts compiling at the first call for a set of values. */
  pipeline(state: ProgramState, constants: ConstantChoice, overrides: Overrides): PipelineEntry {
    const values = state.constants.map(([name, type]) => constantNumber(name, type, constants[name]));
    const key = `${values.join()};${Object.values(overrides).join()}`;
    let entry = state.pipelines.get(key);
    if (entry === undefined) {
      const named = state.constants.map(([name], i): [string, number] => [wgslName(name), values[i]!]);
      entry = this.#compile(state, { ...overrides, ...Object.fromEntries(named) });
      state.pipelines.set(key, entry);
    }
    return entry;
  }

  #createState(program: Program): ProgramState {
    const { name, params } = program.kernel;
    const constants = Object.entries(program.kernel.constants as ConstantSpecs);
    const buffers = Object.entries(program.kernel.buffers) as [string, BufferSpec][];
    const have = this.#limits.maxStorageBuffersPerShaderStage;
    if (buffers.length > have) {
      throw new RangeError(
        `kernel ${name} needs ${buffers.length} storage buffers, the adapter's maxStorageBuffersPerShaderStage is ${have}; ` +
          'use the cpu device on this machine',
      );
    }
    const paramBytes = paramLayout(params).bytes;
    const bindGroupLayout = this.#device.createBindGroupLayout({
      label: name,
      entries: [
        {
          binding: 0,
          visibility: SHADER_STAGE_COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: paramBytes },
        },
        ...buffers.map(([, { access }], i) => ({
          binding: i + 1,
          visibility: SHADER_STAGE_COMPUTE,
          buffer: { type: access === 'read' ? ('read-only-storage' as const) : ('storage' as const) },
        })),
      ],
    });
    const pipelineLayout = this.#device.createPipelineLayout({ label: name, bindGroupLayouts: [bindGroupLayout] });
    const id = this.#states.size;
    const pipelines = new Map<string, PipelineEntry>();
    return { id, program, name, constants, buffers, paramBytes, bindGroupLayout, pipelineLayout, pipelines };
  }

  #compile(state: ProgramState, constants: Record<string, number>): PipelineEntry {
    const label = state.name;
    const module = this.#device.createShaderModule({ label, code: state.program.source });
    const compiled = this.#device
      .createComputePipelineAsync({
        label,
        layout: state.pipelineLayout,
        compute: { module, entryPoint: 'main', constants },
      })
      .then(
        (pipeline) => {
          entry.pipeline = pipeline;
        },
        async (cause) => {
          throw new Error(
            `kernel ${label} (${JSON.stringify(constants)}) does not compile: ${await reason(module, cause)}`,
          );
        },
      );
    // Whoever waits for the pipeline gets the rejection; a device that is closed first must not leave it unhandled.
    compiled.catch(() => undefined);
    const entry: PipelineEntry = { pipeline: undefined, ready: compiled };
    return entry;
  }
}

/** The compiler's messages with line numbers, or what the pipeline's rejection says. */
async function reason(module: GPUShaderModule, cause: unknown): Promise<string> {
  const { messages } = await module.getCompilationInfo();
  const errors = messages.filter((message) => message.type === 'error');
  if (errors.length > 0) return errors.map((e) => `line ${e.lineNum}: ${e.message}`).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}
