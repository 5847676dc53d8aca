/**
 * What a device is: it allocates, uploads, launches and reads back; nothing else.
 *
 * Everything but `read` and `synchronize` enqueues and returns at once; commands take effect in the order in which they
 * were given, so a buffer may be freed (and its memory handed out again) while earlier launches on it are still pending.
 */
import type {
  BufferSpecs,
  ConstantSpecs,
  ConstantValues,
  ElementType,
  KernelDefinition,
  ParamSpecs,
  ParamValues,
} from '../kernels/contract.ts';

export type DeviceKind = 'webgpu' | 'cpu' | 'reference';
export type NumericArray = Float32Array | Float64Array | Int32Array;

/** Device memory for `length` elements of one type. Opaque to all but its device. */
export interface DeviceBuffer {
  readonly type: ElementType;
  readonly length: number;
}

/** A range of a buffer, in elements. `offset` is a multiple of `ALIGNMENT`. */
export interface BufferRange {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly length: number;
}

/** Ranges begin at multiples of 64 elements (256 bytes: WebGPU's storage offset alignment). */
export const ALIGNMENT = 64;

/** One launch as it was asked for: what an audit records and replays. */
export interface Launch<
  C extends ConstantSpecs = ConstantSpecs,
  P extends ParamSpecs = ParamSpecs,
  B extends BufferSpecs = BufferSpecs,
> {
  readonly kernel: KernelDefinition<C, P, B>;
  readonly constants: ConstantValues<C>;
  readonly params: ParamValues<P>;
  readonly buffers: { readonly [K in keyof B]: BufferRange };
}

export interface DeviceMemory {
  /** Buffers handed out and not yet freed. */
  readonly liveBuffers: number;
  readonly liveBytes: number;
  /** Bytes kept in free lists for reuse. */
  readonly pooledBytes: number;
}

export interface Device {
  readonly kind: DeviceKind;
  /** The adapter or engine in words, for logs: `llvmpipe (software)`, `WASM SIMD, 2 threads`. */
  readonly name: string;
  /** True where kernels run on the machine's general processor. */
  readonly isSoftware: boolean;
  /** Contents are undefined until written. Throws an error naming the limit when it does not fit. */
  allocate(type: ElementType, length: number): DeviceBuffer;
  /** Does nothing on a device that is closed or failed: the garbage collector frees tensors when it likes. */
  free(buffer: DeviceBuffer): void;
  /** Copies `data` now; the caller may reuse it at once. `offset` in elements, a multiple of `ALIGNMENT`. */
  upload(buffer: DeviceBuffer, data: ArrayLike<number>, offset?: number): void;
  launch<C extends ConstantSpecs, P extends ParamSpecs, B extends BufferSpecs>(launch: Launch<C, P, B>): void;
  /** The contents after all that was enqueued before: float64 on the reference device, float32 elsewhere. */
  read(range: BufferRange): Promise<NumericArray>;
  /** Resolves when all that was enqueued before has been done; rejects if the device failed. */
  synchronize(): Promise<void>;
  memory(): DeviceMemory;
  /** Ends the device and frees what it holds; later calls throw. Node can exit afterwards. */
  close(): void;
}

/** Throws when a launch's buffers do not match the kernel's contract: type, alignment, and at least the stated size. */
export function checkLaunch(launch: Launch): void {
  const { kernel, constants, params, buffers } = launch;
  const sizes = kernel.sizes(params, constants) as Record<string, number>;
  for (const [name, spec] of Object.entries(kernel.buffers)) {
    const range = buffers[name];
    if (range === undefined) throw new TypeError(`${kernel.name}: buffer '${name}' is missing`);
    if (range.buffer.type !== spec.type) {
      throw new TypeError(
        `${kernel.name}: buffer '${name}' holds ${range.buffer.type}, the kernel needs ${spec.type}${spec.type === 'f32' ? ' (toFloat() converts)' : ''}`,
      );
    }
    if (range.offset % ALIGNMENT !== 0) {
      throw new RangeError(
        `${kernel.name}: buffer '${name}' begins at element ${range.offset}, not a multiple of ${ALIGNMENT}`,
      );
    }
    if (range.length < sizes[name]!) {
      throw new RangeError(
        `${kernel.name}: buffer '${name}' has ${range.length} elements, the launch needs ${sizes[name]}`,
      );
    }
  }
}
