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
  const written = ranges.filter(({ spec, range }) => spec.access !== 'read' && range.length > 0);
  refuseOverlaps(kernel, written);
  return ranges.map(({ memory, range, spec }, index) => {
    const byteOffset = range.offset * BYTES;
    const byteLength = range.length * BYTES;
    if (byteLength === 0) return { memory: services.placeholder(index), byteOffset: 0, byteLength: BYTES };
    if (spec.access === 'read' && written.some((other) => other.memory === memory)) {
      return { memory: services.copyToScratch(memory, byteOffset, byteLength), byteOffset: 0, byteLength };
    }
    return { memory, byteOffset, byteLength };
  });
}

function refuseOverlaps(kernel: string, written: readonly NamedRange[]): void {
  written.forEach((a, i) => {
    for (const b of written.slice(i + 1)) {
      if (a.memory !== b.memory || a.range.offset >= end(b) || b.range.offset >= end(a)) continue;
      throw new RangeError(
        `${kernel}: buffers '${a.name}' and '${b.name}' are both written and overlap ` +
          `(elements ${describe(a)} and ${describe(b)} of the same buffer)`,
      );
    }
  });
}

function end({ range }: NamedRange): number {
  return range.offset + range.length;
}

function describe({ range }: NamedRange): string {
  return `${range.offset}…${range.offset + range.length - 1}`;
}
