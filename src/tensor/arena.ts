/**
 * Tensors that live together: all parameters of a model (or all its buffers) in one device buffer, so that an optimiser step, a
 * distance or a projection is one launch over the whole instead of one per tensor. The tensors stay the objects they were;
 * only their memory moves.
 */
import { ALIGNMENT, type Device } from '../devices/device.ts';
import { eight } from '../kernels/contract.ts';
import { fill, stridedCopy } from '../kernels/copy.ts';
import { zeros } from './create.ts';
import { launch } from './launch.ts';
import { keep } from './scope.ts';
import { Tensor } from './tensor.ts';

const memberships = new WeakMap<Tensor, { arena: Arena; offset: number }>();

/** Where a tensor lives, if it lives in an arena; `offset` in elements. */
export const membership = (tensor: Tensor): { readonly arena: Arena; readonly offset: number } | undefined =>
  memberships.get(tensor);

export class Arena {
  /** Flat, float32: the members at their offsets, zeros between. */
  readonly values: Tensor;
  readonly members: readonly Tensor[];
  private gradientValues: Tensor | null = null;
  private readonly gradientPlaces = new Map<Tensor, Tensor>();

  private constructor(values: Tensor, members: readonly Tensor[]) {
    this.values = values;
    this.members = members;
  }

  /** Moves the tensors (f32, of one device, in no arena yet) into a new arena, in their order. */
  static pack(tensors: readonly Tensor[]): Arena {
    const first = tensors[0];
    if (!first) throw new RangeError('Arena.pack: no tensors were given');
    const offsets: number[] = [];
    let length = 0;
    for (const tensor of tensors) {
      if (memberships.has(tensor)) throw new Error('Arena.pack: a tensor is in another arena already');
      offsets.push(length);
      length += Math.ceil(tensor.size / ALIGNMENT) * ALIGNMENT;
    }
    const arena = new Arena(keep(zeros([length], { device: first.device })), [...tensors]);
    for (const [i, tensor] of tensors.entries()) {
      copyInto(tensor, arena.values, offsets[i]!);
      tensor.moveTo(arena.values.storage.slice(offsets[i]!, tensor.size));
      keep(tensor);
      memberships.set(tensor, { arena, offset: offsets[i]! });
    }
    return arena;
  }

  /** The arenas of these tensors, in order of first appearance; those in none yet are packed together into a new one. */
  static of(tensors: readonly Tensor[]): Arena[] {
    const homeless = [...new Set(tensors)].filter((tensor) => !memberships.has(tensor));
    if (homeless.length > 0) Arena.pack(homeless);
    return [...new Set(tensors.map((tensor) => memberships.get(tensor)!.arena))];
  }

  get device(): Device {
    return this.values.device;
  }

  /** Elements, padding included. */
  get length(): number {
    return this.values.size;
  }

  offsetOf(member: Tensor): number {
    const found = memberships.get(member);
    if (found?.arena !== this) throw new Error('the tensor is not a member of this arena');
    return found.offset;
  }

  /**
   * The members' gradients, in the same layout. Made at the first call; a member whose `grad` was replaced since (set to null,
   * or to a tensor of its own) is brought back into line: null counts as zeros.
   */
  gradients(): Tensor {
    this.gradientValues ??= keep(zeros([this.length], { device: this.device }));
    for (const member of this.members) {
      const offset = this.offsetOf(member);
      let place = this.gradientPlaces.get(member);
      if (place && member.grad === place) continue;
      place ??= keep(new Tensor(member.shape, 'f32', this.gradientValues.storage.slice(offset, member.size)));
      this.gradientPlaces.set(member, place);
      if (member.grad) copyInto(member.grad, this.gradientValues, offset);
      else launch(fill, {}, { count: member.size, value: 0 }, { out: place });
      member.grad = place;
    }
    return this.gradientValues;
  }

  /** A flat tensor of zeros in the arena's layout: room for an optimiser's moments, or for anchors. */
  like(): Tensor {
    return keep(zeros([this.length], { device: this.device }));
  }

  /** A copy of all values, in the arena's layout. */
  snapshot(): Tensor {
    const copy = this.like();
    copyInto(this.values, copy, 0);
    return copy;
  }
}

/** Overwrites `source.size` elements of `target` from `offset` on. Enqueues only. */
export function copyInto(source: Tensor, target: Tensor, offset = 0): void {
  if (source.size === 0) return;
  const params = {
    count: source.size,
    rank: 1,
    xOffset: 0,
    outOffset: offset,
    shape: eight([source.size], 1),
    xStrides: eight([1]),
    outStrides: eight([1]),
  };
  launch(stridedCopy, {}, params, { x: source, out: target });
}
