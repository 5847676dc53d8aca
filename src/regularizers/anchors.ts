/** The starting point W⁰: what weights are tied to. */

import { eight } from '../kernels/contract.ts';
import { stridedCopy } from '../kernels/copy.ts';
import type { Arena } from '../tensor/arena.ts';
import { zeros } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { scope } from '../tensor/scope.ts';
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

  /** Ties a member to zero instead of to its present value (a new classifier has no pre-trained weights). */
  tieToZero(arena: Arena, member: Tensor): void {
    const anchors = this.of(arena);
    scope(() => {
      const one = { shape: eight([member.size], 1), xStrides: eight([1]), outStrides: eight([1]) };
      const params = { count: member.size, rank: 1, xOffset: 0, outOffset: arena.offsetOf(member), ...one };
      launch(stridedCopy, {}, params, { x: zeros(member.shape, { device: arena.device }), out: anchors });
    });
  }
}
