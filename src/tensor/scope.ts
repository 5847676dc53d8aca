/**
 * Who frees a tensor: the scope in which it was made.
 *
 *   scope(() => { … return loss; })   frees all that was made inside, except what is returned (with what its backward
 *                                     needs) and what was handed to something that lives longer (`keep`).
 *
 * Outside every scope, the garbage collector returns a tensor's memory in its own time.
 */
import type { Storage } from './storage.ts';
import type { Tensor } from './tensor.ts';

type Scope = Set<Tensor>;
const scopes: Scope[] = [];

const collected = new FinalizationRegistry<Storage>((storage) => storage.release());

/** Called by every new tensor. */
export function enterScope(tensor: Tensor): void {
  const current = scopes.at(-1);
  if (current) current.add(tensor);
  else collected.register(tensor, tensor.storage, tensor);
}

/** Called by a tensor that is being disposed. */
export function leaveScope(tensor: Tensor): void {
  for (const open of scopes) open.delete(tensor);
  collected.unregister(tensor);
}

/** Takes a tensor out of all scopes: it lives until nothing refers to it (parameters, gradients, optimiser state). */
export function keep<T extends Tensor>(tensor: T): T {
  for (const open of scopes) {
    if (open.delete(tensor)) collected.register(tensor, tensor.storage, tensor);
  }
  return tensor;
}

/** Lets a tensor live as long as its owner does: in the owner's scope, or outside of all. */
export function liveWith<T extends Tensor>(tensor: T, owner: Tensor): T {
  const home = scopes.find((open) => open.has(owner));
  keep(tensor);
  if (home) {
    collected.unregister(tensor);
    home.add(tensor);
  }
  return tensor;
}

/**
 * Runs `body` and frees the tensors made in it, except those found in what it returns (a tensor, or arrays, sets, maps and plain
 * objects of them). The body is synchronous: only reading data back is not, and that is done with what was returned.
 */
export function scope<T>(body: () => T): T {
  const own: Scope = new Set();
  scopes.push(own);
  let survivors: Set<Tensor> = new Set();
  try {
    const result = body();
    if (result instanceof Promise) {
      throw new TypeError('scope: the body is asynchronous; return the tensors and await their data outside the scope');
    }
    survivors = reachable(result);
    return result;
  } finally {
    scopes.pop();
    for (const tensor of own) {
      if (survivors.has(tensor)) enterScope(tensor);
      else tensor.dispose();
    }
  }
}

/** Tensors in a value, and those that the recorded graph behind them still needs. */
function reachable(value: unknown): Set<Tensor> {
  const found = new Set<Tensor>();
  const seen = new Set<object>();
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (typeof next !== 'object' || next === null || seen.has(next)) continue;
    seen.add(next);
    if (isTensor(next)) {
      found.add(next);
      if (next.grad) pending.push(next.grad);
      if (next.node) pending.push(...next.node.inputs, ...next.node.saved);
    } else if (Array.isArray(next) || next instanceof Set) pending.push(...next);
    else if (next instanceof Map) pending.push(...next.values());
    else if (Object.getPrototypeOf(next) === Object.prototype) pending.push(...Object.values(next));
  }
  return found;
}

// A structural test: importing the class would make the two files depend on each other at load time.
const isTensor = (value: object): value is Tensor => 'storage' in value && 'requiresGrad' in value;
