/** What modules inside of a network give out, seen or changed from outside: PyTorch's forward hooks. */
import { didYouMean } from '../tensor/suggest.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Module } from './module.ts';

/** Sees the output of the module called `name`, and its input; what it returns takes the output's place. */
export type OutputHook = (output: Tensor, name: string, input: Tensor) => Tensor;

/** Undoes `hookOutputs`. */
export type Unhook = () => void;

/**
 * Calls `hook` on every output of the modules of these dotted names (of the `forward` that others call; the model's own is '').
 * Hooks on one module nest; take them off in the reverse order. Throws, naming the nearest names, where there is no such module.
 */
export function hookOutputs(model: Module, names: readonly string[], hook: OutputHook): Unhook {
  const modules = model.namedModules();
  const chosen = names.map((name) => {
    const module = modules.get(name);
    if (module) return { name, module };
    const known = [...modules.keys()].filter((key) => key !== '');
    throw new RangeError(
      `the model has no module "${name}".${didYouMean(name, known)} Its parts: ${[...model.namedChildren().keys()].join(', ')}`,
    );
  });
  const undo = chosen.map(({ name, module }) => {
    const own = Object.getOwnPropertyDescriptor(module, 'forward');
    const before = module.forward;
    const forward = (x: Tensor): Tensor => hook(before.call(module, x), name, x);
    // Not enumerable: a hook is no member of the module.
    Object.defineProperty(module, 'forward', { value: forward, configurable: true, writable: true, enumerable: false });
    return () => {
      if (own) Object.defineProperty(module, 'forward', own);
      else Reflect.deleteProperty(module, 'forward');
    };
  });
  return () => {
    for (const one of undo.reverse()) one();
  };
}

/**
 * The outputs of named modules in the latest forward pass. They live as long as any tensor of that pass: within a scope, to its end.
 *
 *   const maps = new CapturedOutputs(model, ['layer3', 'layer4']);
 *   const logits = model.forward(images);
 *   maps.get('layer4')      // (N, C, h, w)
 */
export class CapturedOutputs {
  readonly names: readonly string[];
  /** Takes the hooks off. */
  readonly release: Unhook;
  private readonly outputs = new Map<string, Tensor>();

  constructor(model: Module, names: readonly string[]) {
    this.names = names;
    this.release = hookOutputs(model, names, (output, name) => {
      this.outputs.set(name, output);
      return output;
    });
  }

  /** Throws where the module has not been run yet. */
  get(name: string): Tensor {
    const output = this.outputs.get(name);
    if (!output) throw new Error(`${name} has given no output: run the model first`);
    return output;
  }
}
