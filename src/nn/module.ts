/**
 * Modules: layers and networks as plain classes.
 *
 *   class Net extends Module {
 *     conv = new Conv2d(3, 16, 3);
 *     scale = parameter(ones([1]));
 *     forward(x: Tensor) {
 *       return this.conv.forward(x).relu().mul(this.scale);
 *     }
 *   }
 *
 * What a module owns is found among its own properties: modules, tensors marked by `parameter` or `buffer`, counters, and
 * arrays of these. The property is the name, dots join levels, array positions are numbers: `layer1.0.conv1.weight`, as in
 * PyTorch. Any other property (a size, a cached tensor) is no part of it.
 */
import '../ops/methods.ts';
import type { Device } from '../devices/device.ts';
import { getDefaultDevice } from '../tensor/create.ts';
import { keep } from '../tensor/scope.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  Counter,
  type LoadableState,
  type LoadResult,
  loadMembers,
  type ModuleState,
  readMember,
  type StateMember,
} from './state.ts';

interface Role {
  readonly kind: 'parameter' | 'buffer';
  readonly stateName: string | undefined;
}
const roles = new WeakMap<Tensor, Role>();

function mark(tensor: Tensor, role: Role): Tensor {
  if (tensor.node)
    throw new Error(`a ${role.kind} must be a leaf, but this tensor was computed by ${tensor.node.operation}`);
  roles.set(tensor, role);
  tensor.requiresGrad = role.kind === 'parameter';
  return keep(tensor);
}

/** Marks a tensor as a parameter: it collects a gradient, survives every scope, and is found by the module that holds it. */
export const parameter = (tensor: Tensor): Tensor => mark(tensor, { kind: 'parameter', stateName: undefined });

/**
 * Marks a tensor as state that is saved but not trained, and takes it out of every scope. `stateName` is its name in a state
 * dict where that is not the property's.
 */
export const buffer = (tensor: Tensor, stateName?: string): Tensor => mark(tensor, { kind: 'buffer', stateName });

const isTensor = (value: unknown): value is Tensor =>
  typeof value === 'object' && value !== null && roles.has(value as Tensor);
const join = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}.${name}`);

export abstract class Module {
  #training = true;
  #frozen = false;

  abstract forward(x: Tensor): Tensor;

  /** Where the parameters (or else the buffers) live; the default device for a module without either. */
  get device(): Device {
    const [first] = [...this.parameters(), ...this.namedBuffers().values()];
    return first?.device ?? getDefaultDevice();
  }

  /** False after `eval()`. */
  get training(): boolean {
    return this.#training;
  }

  /** True after `freeze()`, until `unfreeze()`. */
  get frozen(): boolean {
    return this.#frozen;
  }

  /** Training behaviour for this module and all below it: batch statistics, dropout. What is frozen stays frozen. */
  train(mode = true): this {
    for (const module of this.modules()) module.#training = mode;
    return this;
  }

  /** Inference behaviour for this module and all below it. */
  eval(): this {
    return this.train(false);
  }

  /**
   * Fixes this module and all below it: parameters no longer require a gradient, and BatchNorm normalises by its running
   * statistics and leaves them as they are. Sticky: `train()` does not undo it.
   */
  freeze(): this {
    return this.setFrozen(true);
  }

  /** Undoes `freeze()` for this module and all below it. */
  unfreeze(): this {
    return this.setFrozen(false);
  }

  private setFrozen(frozen: boolean): this {
    for (const module of this.modules()) {
      module.#frozen = frozen;
      for (const own of module.ownTensors('parameter').values()) own.requiresGrad = !frozen;
    }
    return this;
  }

  /** Calls `visit` on every module of the tree, this one first. */
  apply(visit: (module: Module) => void): this {
    for (const module of this.modules()) visit(module);
    return this;
  }

  /** What belongs to this module directly, by name. `Sequential` leaves its array's name out. */
  protected *members(): Iterable<[string, unknown]> {
    for (const [key, value] of Object.entries(this)) {
      if (Array.isArray(value)) for (const [i, item] of value.entries()) yield [`${key}.${i}`, item];
      else yield [key, value];
    }
  }

  /** This module ('') and all below it, each once, by its dotted name. */
  namedModules(): Map<string, Module> {
    const names = new Map<Module, string>();
    const visit = (module: Module, name: string): void => {
      if (names.has(module)) return;
      names.set(module, name);
      for (const [key, value] of module.members()) if (value instanceof Module) visit(value, join(name, key));
    };
    visit(this, '');
    return new Map([...names].map(([module, name]) => [name, module]));
  }

  modules(): Module[] {
    return [...this.namedModules().values()];
  }

  /** The modules directly below this one. */
  namedChildren(): Map<string, Module> {
    const children = [...this.members()].filter((member): member is [string, Module] => member[1] instanceof Module);
    return new Map(children);
  }

  /** Every parameter of the tree once, by its dotted name. */
  namedParameters(): Map<string, Tensor> {
    return this.namedTensors('parameter');
  }

  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  /** Every buffer of the tree once, by its name in the state dict. */
  namedBuffers(): Map<string, Tensor> {
    return this.namedTensors('buffer');
  }

  private namedTensors(kind: Role['kind']): Map<string, Tensor> {
    const names = new Map<Tensor, string>();
    for (const [path, module] of this.namedModules()) {
      for (const [name, own] of module.ownTensors(kind)) if (!names.has(own)) names.set(own, join(path, name));
    }
    return new Map([...names].map(([own, name]) => [name, own]));
  }

  private ownTensors(kind: Role['kind']): Map<string, Tensor> {
    const found = new Map<string, Tensor>();
    for (const [key, value] of this.members()) {
      const role = isTensor(value) && roles.get(value);
      if (role && role.kind === kind) found.set(role.stateName ?? key, value);
    }
    return found;
  }

  /** In PyTorch's order: a module's parameters, buffers and counters, then its children's. A shared part under all its names. */
  private stateMembers(prefix = ''): Map<string, StateMember> {
    const counters = [...this.members()].flatMap(([, value]) => (value instanceof Counter ? [value] : []));
    const own: [string, StateMember][] = [
      ...this.ownTensors('parameter'),
      ...this.ownTensors('buffer'),
      ...counters.map((counter): [string, Counter] => [counter.name, counter]),
    ];
    const all = new Map(own.map(([name, member]) => [join(prefix, name), member]));
    for (const [name, child] of this.namedChildren()) {
      for (const [path, member] of child.stateMembers(join(prefix, name))) all.set(path, member);
    }
    return all;
  }

  /** Copies of all parameters, buffers and counters as they are at the call: float32, or float64 on the reference device. */
  async stateDict(): Promise<ModuleState> {
    return new Map(
      await Promise.all(
        [...this.stateMembers()].map(async ([name, member]) => [name, await readMember(member)] as const),
      ),
    );
  }

  /**
   * Overwrites parameters, buffers and counters in place by those of the same names. Throws, before anything is written,
   * when a shape differs or values are no floating-point numbers; with `strict` (the default) also when a name is missing
   * or unexpected. A missing counter (`num_batches_tracked`) is never an error.
   */
  loadStateDict(state: LoadableState, { strict = true }: { readonly strict?: boolean } = {}): LoadResult {
    return loadMembers(this.stateMembers(), state, strict, this.constructor.name);
  }
}
