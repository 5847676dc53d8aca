/**
 * A tensor: a shape over device memory, contiguous and row-major. Operations on it are in `src/ops/`, which also adds them
 * as methods; what it needs for differentiation (`requiresGrad`, `grad`, `node`) is used by `src/autograd/`.
 */
import type { Device, NumericArray } from '../devices/device.ts';
import type { ElementType } from '../kernels/contract.ts';
import { enterScope, leaveScope } from './scope.ts';
import { type Shape, shapeText, sizeOf } from './shape.ts';
import type { Storage } from './storage.ts';

/** One step of a recorded computation: how the gradient of its output becomes gradients of its inputs. */
export interface GradientNode {
  /** Grows with every record, so that decreasing order is a reverse topological order. */
  readonly id: number;
  readonly operation: string;
  readonly inputs: readonly Tensor[];
  /** Tensors whose values the backward pass reads, with the version of their storage when they were saved. */
  readonly saved: readonly Tensor[];
  readonly savedVersions: readonly number[];
  /** Gradients in the order of `inputs`; null where there is none. */
  readonly backward: (gradient: Tensor) => readonly (Tensor | null)[];
}

export class Tensor {
  readonly shape: Shape;
  readonly dtype: ElementType;
  /** Changes only by `moveTo`. */
  private held: Storage;
  /** True for leaves that collect `grad`, and for everything computed from them. */
  requiresGrad = false;
  /** The accumulated gradient of a leaf; same shape. */
  grad: Tensor | null = null;
  /** How this tensor was computed, while that is needed for backward. */
  node: GradientNode | null = null;
  private disposed = false;

  /** Takes over one reference to `storage`. */
  constructor(shape: Shape, dtype: ElementType, storage: Storage) {
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.held = storage;
    enterScope(this);
  }

  get storage(): Storage {
    return this.held;
  }

  get device(): Device {
    return this.storage.device;
  }

  get rank(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  /** A tensor that looks at the same memory under another shape, outside the recorded computation. */
  view(shape: Shape): Tensor {
    this.assertAlive('view');
    this.storage.retain();
    return new Tensor(shape, this.dtype, this.storage);
  }

  /** Lets this tensor look at other memory from now on (taking over one reference), as when parameters move into an arena. */
  moveTo(storage: Storage): void {
    this.assertAlive('moveTo');
    leaveScope(this);
    this.held.release();
    this.held = storage;
    enterScope(this);
  }

  /** The elements in row-major order: float32 (float64 on the reference device) or int32. */
  async data(): Promise<NumericArray> {
    this.assertAlive('data');
    const { buffer, offset } = this.storage;
    return this.device.read({ buffer, offset, length: this.size });
  }

  /** The value of a tensor of one element. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new RangeError(`item: the tensor has the shape ${shapeText(this.shape)}, not one element`);
    return (await this.data())[0]!;
  }

  /** Frees the memory now (when no view shares it). Rarely needed: a scope does it. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.node = null;
    leaveScope(this);
    this.storage.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  assertAlive(operation: string): void {
    if (this.disposed) {
      throw new Error(
        `${operation}: a tensor of shape ${shapeText(this.shape)} was already freed; return it from its scope, or keep() it`,
      );
    }
  }

  toString(): string {
    const extra = this.requiresGrad ? ', requiresGrad' : '';
    return `Tensor(${shapeText(this.shape)}, ${this.dtype}, ${this.device.kind}${extra})`;
  }
}
