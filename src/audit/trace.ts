/**
 * The launches of a training step, each with where it belongs: module, operation, node of the tape, forward or backward. What is on the
 * tape is told apart by the numbers of its nodes: those that a module's forward pass recorded are its own, and a launch of the forward pass belongs
 * to the node that is recorded next.
 */
import { isGradEnabled, nextNodeId, nodeInBackward } from '../autograd/tape.ts';
import type { BufferRange, DeviceBuffer, Launch } from '../devices/device.ts';
import type { Module } from '../nn/index.ts';
import { Arena } from '../tensor/arena.ts';
import { observeLaunches } from '../tensor/launch.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Phase, RecordedBuffer, RecordedLaunch, RecordedRange } from './format.ts';

export interface Trace {
  readonly launches: readonly RecordedLaunch[];
  readonly buffers: readonly RecordedBuffer[];
}

/** Runs `body` (synchronous: a training step) and says what it launched. */
export function traceLaunches<T>(model: Module, body: () => T): { readonly result: T; readonly trace: Trace } {
  const tracer = new Tracer(model);
  const release = tracer.watchModules(model);
  const stop = observeLaunches((launch, tensors) => tracer.add(launch, tensors));
  try {
    const result = body();
    return { result, trace: tracer.finish() };
  } finally {
    stop();
    release();
  }
}

type Draft = Omit<RecordedLaunch, 'operation'>;

class Tracer {
  private readonly firstNode = nextNodeId();
  private readonly places: readonly Place[];
  private readonly drafts: Draft[] = [];
  private readonly buffers: RecordedBuffer[] = [];
  private readonly numbers = new Map<DeviceBuffer, number>();
  /** Modules whose forward pass is running, the innermost last. */
  private readonly running: string[] = [];
  /** Nodes from number `node` on are recorded in `module`. */
  private readonly owners: { readonly node: number; readonly module: string }[] = [];
  private readonly operations = new Map<number, string>();
  private phase: Phase = 'prepare';

  constructor(model: Module) {
    this.places = namedPlaces(model);
  }

  /** Follows the forward passes of all modules; the returned function ends it. */
  watchModules(model: Module): () => void {
    const undo = [...model.namedModules()].map(([name, module]) => {
      const own = Object.getOwnPropertyDescriptor(module, 'forward');
      const before = module.forward;
      const forward = (x: Tensor): Tensor => {
        if (this.running.length === 0) this.phase = 'forward';
        this.enter(name);
        try {
          return before.call(module, x);
        } finally {
          this.leave();
        }
      };
      // Not enumerable: it is no member of the module.
      Object.defineProperty(module, 'forward', {
        value: forward,
        configurable: true,
        writable: true,
        enumerable: false,
      });
      return () => {
        if (own) Object.defineProperty(module, 'forward', own);
        else Reflect.deleteProperty(module, 'forward');
      };
    });
    return () => {
      for (const one of undo.reverse()) one();
    };
  }

  private enter(name: string): void {
    this.running.push(name);
    this.owners.push({ node: nextNodeId(), module: name });
  }

  private leave(): void {
    this.running.pop();
    this.owners.push({ node: nextNodeId(), module: this.running.at(-1) ?? '' });
  }

  add({ kernel, constants, params, buffers }: Launch, tensors: Readonly<Record<string, Tensor>>): void {
    const node = this.nodeNow();
    this.drafts.push({
      index: this.drafts.length,
      kernel: kernel.name,
      constants,
      params,
      buffers: Object.fromEntries(
        Object.entries(kernel.buffers).map(([name, { access }]) => [
          name,
          { ...this.rangeOf(buffers[name]!), access, shape: [...tensors[name]!.shape] },
        ]),
      ),
      phase: this.phase,
      module: node === null ? (this.running.at(-1) ?? '') : this.ownerOf(node),
      node,
    });
  }

  /** The node that a launch belongs to; moves the phase on. */
  private nodeNow(): number | null {
    const inBackward = nodeInBackward();
    if (inBackward) {
      this.phase = 'backward';
      this.operations.set(inBackward.id, inBackward.operation);
      // An operation that only passes its gradient on launches nothing backwards; whoever comes after it knows it.
      for (const { node } of inBackward.inputs) if (node) this.operations.set(node.id, node.operation);
      return inBackward.id;
    }
    if (this.phase === 'backward') this.phase = 'update';
    return this.phase === 'forward' && isGradEnabled() ? nextNodeId() : null;
  }

  private ownerOf(node: number): string {
    return this.owners.findLast((owner) => owner.node <= node)?.module ?? '';
  }

  private rangeOf({ buffer, offset, length }: BufferRange): Omit<RecordedRange, 'access' | 'shape'> {
    let number = this.numbers.get(buffer);
    if (number === undefined) {
      number = this.buffers.length;
      this.numbers.set(buffer, number);
      this.buffers.push({ dtype: buffer.type, length: buffer.length });
    }
    const around = this.places.filter(
      (place) =>
        place.buffer === buffer &&
        place.offset <= offset &&
        offset + length <= place.offset + place.length &&
        length > 0,
    );
    const [first, ...others] = around;
    const nearest = first && others.reduce((best, place) => (place.length < best.length ? place : best), first);
    return { buffer: number, offset, length, name: nearest?.name ?? null };
  }

  /** A forward launch is known by its operation once the backward pass has been at its node. */
  finish(): Trace {
    const launches = this.drafts.map((draft): RecordedLaunch => {
      const operation = draft.node === null ? null : (this.operations.get(draft.node) ?? null);
      return { ...draft, operation, node: operation === null ? null : draft.node! - this.firstNode };
    });
    return { launches, buffers: this.buffers };
  }
}

interface Place extends BufferRange {
  readonly name: string;
}

/** Parameters, their gradients, buffers, and the arenas that they lie in. */
function namedPlaces(model: Module): Place[] {
  const place = (name: string, { storage: { buffer, offset, length } }: Tensor): Place => ({
    name,
    buffer,
    offset,
    length,
  });
  const parameters = [...model.namedParameters()];
  const places = [...parameters, ...model.namedBuffers()].map(([name, tensor]) => place(name, tensor));
  for (const [name, { grad }] of parameters) if (grad) places.push(place(`gradient of ${name}`, grad));
  for (const [i, arena] of Arena.of(model.parameters()).entries()) {
    const suffix = i === 0 ? '' : ` ${i}`;
    places.push(place(`parameters${suffix}`, arena.values), place(`gradients${suffix}`, arena.gradients()));
  }
  return places;
}
