/** The starting point W⁰: what weights are tied to. */

import type { Arena } from '../tensor/arena.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** An immutable copy of every arena it is asked about, taken at the first time of asking. */
export class Anchors {
  private readonly snapshots = new Map<Arena, Tensor>();

  of(arena: Arena): Tensor {
    let snapshot = this.snapshots.get(arena);
    if (!snapshot) {
      snapshot = arena.snapshot();
      this.snapshots.set(arena, snapshot);
    }
    return snapshot;
  }

  /** Ties a member to these values (as many as it has elements) instead of to its present ones. */
  tieTo(arena: Arena, member: Tensor, values: ArrayLike<number>): void {
    if (values.length !== member.size) throw new RangeError(`${values.length} values for an anchor of ${member.size}`);
    const { storage } = this.of(arena);
    arena.device.upload(storage.buffer, values, storage.offset + arena.offsetOf(member));
  }

  /** Ties a member to zero instead of to its present value (a new classifier has no pre-trained weights). */
  tieToZero(arena: Arena, member: Tensor): void {
    this.tieTo(arena, member, new Float32Array(member.size));
  }
}
