/**
 * From the ranges of a launch to what is bound.
 *
 * WebGPU lets a dispatch write to a buffer only if nothing in the same dispatch reads from that buffer, not even from another
 * part of it. Where a launch does that (a slice copied to another place in an arena, a map in place), the range that is
 * read is copied to scratch memory first, so that the kernel sees what was there before the launch.
 */
import type { BufferSpec } from '../../kernels/contract.ts';
import type { BufferRange } from '../device.ts';
import type { Binding } from './bindGroupCache.ts';
import type { Memory } from './bufferPool.ts';

export interface NamedRange {
  readonly name: string;
  readonly spec: BufferSpec;
  readonly range: BufferRange;
  readonly memory: Memory;
}

export interface BindingServices {
  /** Memory to bind where a range is empty: WebGPU has no empty bindings. One per place in the bind group. */
  placeholder(index: number): Memory;
  /** Copies a range to scratch memory that lives until after the launch. */
  copyToScratch(from: Memory, byteOffset: number, byteLength: number): Memory;
}

const BYTES = 4;

/** Throws when two ranges that are written overlap: the result would depend on chance. */
export function bindRanges(kernel: string, ranges: readonly NamedRange[], services: BindingServices): Binding[] {
  return ranges.map((own, index) => {
    const { memory, range, spec } = own;
    const byteOffset = range.offset * BYTES;
    const byteLength = range.length * BYTES;
    if (byteLength === 0) return { memory: services.placeholder(index), byteOffset: 0, byteLength: BYTES };
    const conflict = ranges.find((other) => other !== own && other.memory === memory && conflicts(own, other));
    if (conflict === undefined) return { memory, byteOffset, byteLength };
    if (spec.access !== 'read') {
      throw new RangeError(
        `${kernel}: buffers '${own.name}' and '${conflict.name}' are both written and overlap ` +
          `(elements ${describe(own)} and ${describe(conflict)} of the same buffer)`,
      );
    }
    return { memory: services.copyToScratch(memory, byteOffset, byteLength), byteOffset: 0, byteLength };
  });
}

/** Whether `own` cannot be bound as it is because of `other` in the same memory. */
function conflicts(own: NamedRange, other: NamedRange): boolean {
  if (other.spec.access === 'read' || other.range.length === 0) return false;
  if (own.spec.access === 'read') return true;
  const a = own.range;
  const b = other.range;
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}

function describe({ range }: NamedRange): string {
  return `${range.offset}…${range.offset + range.length - 1}`;
}
