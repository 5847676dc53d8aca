/**
 * Reverse-mode differentiation on one page.
 *
 * While recording, an operation hangs a node on its output: its inputs, and a function from the output's gradient to theirs.
 * `backward` walks the nodes behind a scalar from the newest to the oldest (a node is newer than all it depends on, so that
 * order is topological), sums what reaches each tensor, and leaves the sums in the leaves' `grad`.
 *
 * Backward functions are written with operations too. With `createGraph` they are recorded in their turn, which gives
 * gradients of gradients.
 */
import { accumulate } from '../kernels/elementwise.ts';
import { ones, zeros } from '../tensor/create.ts';
import { launch } from '../tensor/launch.ts';
import { liveWith } from '../tensor/scope.ts';
import { sameShape, shapeText } from '../tensor/shape.ts';
import type { GradientNode, Tensor } from '../tensor/tensor.ts';

let isRecording = true;
let nextId = 0;
let inBackward: GradientNode | null = null;

export const isGradEnabled = (): boolean => isRecording;

/** The number that the next recorded node gets; they count up. */
export const nextNodeId = (): number => nextId;

/** The node whose gradients are being computed, for those who watch launches; null outside of a backward pass. */
export const nodeInBackward = (): GradientNode | null => inBackward;

function withRecording<T>(enabled: boolean, body: () => T): T {
  const before = isRecording;
  isRecording = enabled;
  try {
    const result = body();
    if (result instanceof Promise) throw new TypeError('noGrad: the body is asynchronous; await outside of it');
    return result;
  } finally {
    isRecording = before;
  }
}

/** Runs `body` without recording: nothing computed in it can be differentiated. */
export const noGrad = <T>(body: () => T): T => withRecording(false, body);

type Backward = GradientNode['backward'];

/**
 * Makes `output` differentiable with respect to `inputs`, if recording and if any of them asks for it; returns `output`.
 * `saved` lists the tensors whose values `backward` reads.
 */
export function record(
  operation: string,
  inputs: readonly Tensor[],
  output: Tensor,
  saved: readonly Tensor[],
  backward: Backward,
): Tensor {
  if (!isRecording || !inputs.some((input) => input.requiresGrad)) return output;
  output.requiresGrad = true;
  output.node = {
    id: nextId++,
    operation,
    inputs,
    saved,
    savedVersions: saved.map((t) => t.storage.version),
    backward,
  };
  return output;
}

/** For gradients computed by a fused kernel: their own gradient is refused by name instead of being silently zero. */
export function onceDifferentiable(operation: string, inputs: readonly Tensor[], output: Tensor): Tensor {
  return record(operation, inputs, output, [], () => {
    throw new Error(`${operation} has no second derivative`);
  });
}

export interface BackwardOptions {
  /** dLoss/dOutput; ones where the output is a single element. */
  readonly gradient?: Tensor | undefined;
  /** Keep the graph for another backward pass (implied by createGraph). */
  readonly retainGraph?: boolean;
  /** Record the backward pass itself. */
  readonly createGraph?: boolean;
}

/** Adds d output / d leaf to the `grad` of every leaf behind `output` that asks for it. */
export function backward(output: Tensor, options: BackwardOptions = {}): void {
  propagate(output, options, (leaf, gradient) => addToGrad(leaf, gradient, options.createGraph ?? false));
}

/** d output / d input for each input (leaf or not), leaving every `grad` alone. Zeros where output does not depend on it. */
export function grad(output: Tensor, inputs: readonly Tensor[], options: BackwardOptions = {}): Tensor[] {
  const wanted = new Map<Tensor, Tensor | null>(inputs.map((input) => [input, null]));
  propagate(
    output,
    options,
    (tensor, gradient) => {
      if (!wanted.has(tensor)) return;
      const before = wanted.get(tensor);
      wanted.set(tensor, before ? before.add(gradient) : gradient);
    },
    new Set(inputs),
  );
  return inputs.map((input) => wanted.get(input) ?? zeros(input.shape, { device: input.device }));
}

function propagate(
  output: Tensor,
  options: BackwardOptions,
  deliver: (tensor: Tensor, gradient: Tensor) => void,
  intermediates: ReadonlySet<Tensor> = new Set(),
): void {
  if (!output.requiresGrad) throw new Error('backward: the tensor does not depend on anything with requiresGrad');
  const seed = options.gradient ?? seedFor(output);
  if (!sameShape(seed.shape, output.shape)) {
    throw new RangeError(
      `backward: the gradient has the shape ${shapeText(seed.shape)}, the tensor ${shapeText(output.shape)}`,
    );
  }
  withRecording(options.createGraph ?? false, () => {
    const owners = ownersBehind(output);
    const gradients = new Map<GradientNode, Tensor>();
    const send = (tensor: Tensor, gradient: Tensor) => {
      if (!tensor.requiresGrad) return;
      if (!tensor.node || intermediates.has(tensor)) deliver(tensor, gradient);
      if (!tensor.node) return;
      const before = gradients.get(tensor.node);
      gradients.set(tensor.node, before ? before.add(gradient) : gradient);
    };
    send(output, seed);
    for (const { node, tensor } of owners) {
      const gradient = gradients.get(node);
      if (!gradient) continue;
      gradients.delete(node);
      checkUnchanged(node);
      inBackward = node;
      try {
        node.backward(gradient).forEach((inputGradient, i) => {
          if (inputGradient) send(node.inputs[i]!, inputGradient);
        });
      } finally {
        inBackward = null;
      }
      if (!options.retainGraph && !options.createGraph) tensor.node = usedUp(node);
    }
  });
}

/** The nodes behind a tensor, newest first, each with the tensor it computed. Iterative: depth is no limit. */
function ownersBehind(output: Tensor): { node: GradientNode; tensor: Tensor }[] {
  const found = new Map<GradientNode, Tensor>();
  const pending: Tensor[] = [output];
  while (pending.length > 0) {
    const tensor = pending.pop()!;
    if (!tensor.node || found.has(tensor.node)) continue;
    found.set(tensor.node, tensor);
    pending.push(...tensor.node.inputs);
  }
  return [...found].map(([node, tensor]) => ({ node, tensor })).sort((a, b) => b.node.id - a.node.id);
}

/** What stays in place of a node whose backward has run: it holds on to nothing, and says so when asked again. */
function usedUp({ id, operation }: GradientNode): GradientNode {
  const backward = () => {
    throw new Error(`${operation}: its graph was used by an earlier backward; pass { retainGraph: true } to that one`);
  };
  return { id, operation, inputs: [], saved: [], savedVersions: [], backward };
}

function seedFor(output: Tensor): Tensor {
  if (output.size !== 1) {
    throw new RangeError(`backward: a tensor of shape ${shapeText(output.shape)} is no scalar; give { gradient }`);
  }
  return ones(output.shape, { device: output.device });
}

function checkUnchanged(node: GradientNode): void {
  node.saved.forEach((tensor, i) => {
    if (tensor.storage.version !== node.savedVersions[i]) {
      throw new Error(
        `${node.operation}: a tensor of shape ${shapeText(tensor.shape)} that its backward pass needs was overwritten since, or moved ` +
          'into an arena (make optimiser and regulariser before the forward pass)',
      );
    }
  });
}

/**
 * A leaf with a gradient already (zeros in a parameter arena, or an earlier pass) adds to it in place. A recorded gradient takes
 * its place instead, and is copied into the arena when an optimiser asks for it.
 */
function addToGrad(leaf: Tensor, gradient: Tensor, createGraph: boolean): void {
  if (createGraph) {
    leaf.grad = liveWith(leaf.grad ? leaf.grad.add(gradient) : gradient, leaf);
    return;
  }
  leaf.grad ??= liveWith(zeros(leaf.shape, { device: leaf.device }), leaf);
  launch(accumulate, {}, { count: leaf.size }, { x: gradient, out: leaf.grad });
}
