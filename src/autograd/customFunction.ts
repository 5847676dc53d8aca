/** Operations of the user's own: a forward and a backward written with tensors. */
import type { Tensor } from '../tensor/tensor.ts';
import { noGrad, record } from './tape.ts';

export interface CustomFunction<Inputs extends readonly Tensor[]> {
  /** Named in errors and in the recorded graph. */
  readonly name: string;
  /** Runs without recording. */
  readonly forward: (...inputs: Inputs) => Tensor;
  /** The gradients of the inputs, in their order (null for none), from the gradient of the output. */
  readonly backward: (
    gradient: Tensor,
    context: { readonly inputs: Inputs; readonly output: Tensor },
  ) => readonly (Tensor | null)[];
}

/**
 * const cube = customFunction({ name: 'cube', forward: (x) => x.pow(3), backward: (dy, { inputs: [x] }) => [dy.mul(x.square()).mul(3)] });
 *
 * Check it with `gradcheck`.
 */
export function customFunction<Inputs extends readonly Tensor[]>(
  definition: CustomFunction<Inputs>,
): (...inputs: Inputs) => Tensor {
  const { name, forward, backward } = definition;
  return (...inputs) => {
    const computed = noGrad(() => forward(...inputs));
    // A forward that returns one of its inputs gets a tensor of its own, or its node would hang on the input.
    const output = inputs.includes(computed) ? computed.view(computed.shape) : computed;
    return record(name, inputs, output, [...inputs, output], (gradient) => {
      const gradients = backward(gradient, { inputs, output });
      if (gradients.length !== inputs.length) {
        throw new Error(`${name}: backward returned ${gradients.length} gradients for ${inputs.length} inputs`);
      }
      return gradients;
    });
  };
}
