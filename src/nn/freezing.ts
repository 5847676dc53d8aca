/** Which part of a network trains: its head alone, or all but its first layers. */
import { Conv2d, Linear } from './layers.ts';
import type { Module } from './module.ts';

/** A module of the user's own names its classifier by a property `headName`. */
export function headOf(model: Module, headName: unknown = Reflect.get(model, 'headName')): Linear {
  const head = typeof headName === 'string' ? model.namedModules().get(headName) : undefined;
  if (head instanceof Linear) return head;
  const candidates = [...model.namedModules()].filter(([, module]) => module instanceof Linear).map(([name]) => name);
  throw new Error(
    `which layer is the classifier? Give the model a property headName, one of: ${candidates.join(', ')} (it is ${String(headName)})`,
  );
}

/**
 * Freezes everything but the classifier (BatchNorm then keeps its running statistics). Undone by `model.unfreeze()`.
 */
export function linearProbe(model: Module, headName?: string): void {
  const head = headOf(model, headName);
  model.freeze();
  head.unfreeze();
}

/**
 * Freezes the first `fraction` (0 … 1, rounded down) of the model's layers with weights, in their order; BatchNorm does not count and
 * is never frozen (Gouk et al.'s `--freeze-frac` as it was meant). Returns the names of what was frozen.
 */
export function freezeFraction(model: Module, fraction: number): string[] {
  if (!(fraction >= 0 && fraction <= 1)) throw new RangeError(`freezeFraction: ${fraction} is not between 0 and 1`);
  const layers = [...model.namedModules()].filter(([, module]) => module instanceof Conv2d || module instanceof Linear);
  const first = layers.slice(0, Math.floor(fraction * layers.length));
  for (const [, layer] of first) layer.freeze();
  return first.map(([name]) => name);
}
