/** The starting point W⁰: what weights are tied to. */

import { type Arena, membership } from '../tensor/arena.ts';
import { shapeText } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ConstrainableLayer } from './layers.ts';

/** Values by the names of a state dict, as `Module.stateDict` and the weight readers give them. */
export type AnchorState = ReadonlyMap<string, { readonly data: ArrayLike<number | bigint> }>;

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

  /**
   * A layer's own: `state`, or else what it holds; the classifier to zero where that is asked for, and else to `state` if that
   * has a classifier of the same size.
   */
  tieLayer(
    { name, weight, runningVariance, isHead }: ConstrainableLayer,
    state: AnchorState | undefined,
    headAnchor: 'zero' | 'initial',
  ): void {
    if (isHead && headAnchor === 'zero') this.tieToZero(membership(weight)!.arena, weight);
    const isOther = isHead && (headAnchor === 'zero' || state?.get(`${name}.weight`)?.data.length !== weight.size);
    if (!state || isOther) return;
    const tie = (member: Tensor, key: string) => {
      const values = state.get(key)?.data;
      if (values?.length !== member.size) {
        const found = values ? `${values.length} values` : 'nothing';
        throw new RangeError(`the anchor holds ${found} for ${key}, which has the shape ${shapeText(member.shape)}`);
      }
      this.tieTo(membership(member)!.arena, member, Float64Array.from(values as ArrayLike<number>));
    };
    tie(weight, `${name}.weight`);
    if (runningVariance) tie(runningVariance, `${name}.running_var`);
  }

  dispose(): void {
    for (const snapshot of this.snapshots.values()) snapshot.dispose();
    this.snapshots.clear();
  }
}
