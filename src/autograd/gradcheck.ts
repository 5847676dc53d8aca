/** Is a gradient right? Central differences in float64 on the reference device. */
import { ReferenceDevice } from '../devices/reference/device.ts';
import { tensor } from '../tensor/create.ts';
import { scope } from '../tensor/scope.ts';
import { type Shape, shapeText, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { backward } from './tape.ts';

export interface GradcheckInput {
  readonly shape: Shape;
  /** Row-major values; keep away from kinks (relu at 0, ties of a maximum). */
  readonly data: ArrayLike<number>;
}

export interface GradcheckOptions {
  /** Step of the central difference; its error is of order step². */
  readonly step?: number;
  /** Allowed |analytic − numeric| / max(1, |numeric|). */
  readonly tolerance?: number;
  /** Check at most this many elements of each input, evenly spread (all by default). */
  readonly elements?: number;
}

/**
 * Compares the gradient of `f` with (f(x + h) − f(x − h)) / 2h for each element of each input; an output of more than one
 * element is first reduced by a fixed random-looking weighting. Resolves with the largest relative error; rejects naming
 * input, element and both values when one exceeds the tolerance.
 */
export async function gradcheck(
  f: (...inputs: Tensor[]) => Tensor,
  inputs: readonly GradcheckInput[],
  { step = 1e-5, tolerance = 1e-6, elements = Number.POSITIVE_INFINITY }: GradcheckOptions = {},
): Promise<number> {
  const device = new ReferenceDevice();
  const values = inputs.map(({ data }) => Float64Array.from(data));
  const leaves = () => inputs.map(({ shape }, i) => tensor(values[i]!, { shape, device, requiresGrad: true }));
  const gradients = scope(() => {
    const variables = leaves();
    backward(weighted(f(...variables)));
    return variables.map((variable) => variable.grad);
  });
  const analytic = await Promise.all(gradients.map(async (gradient) => gradient && (await gradient.data())));
  const valueAt = async (): Promise<number> => scope(() => weighted(f(...leaves()))).item();

  let worst = 0;
  for (const [i, { shape }] of inputs.entries()) {
    const stride = Math.max(1, Math.ceil(sizeOf(shape) / elements));
    for (let at = 0; at < sizeOf(shape); at += stride) {
      const centre = values[i]![at]!;
      values[i]![at] = centre + step;
      const above = await valueAt();
      values[i]![at] = centre - step;
      const below = await valueAt();
      values[i]![at] = centre;
      const numeric = (above - below) / (2 * step);
      const found = analytic[i]?.[at] ?? 0;
      const error = Math.abs(found - numeric) / Math.max(1, Math.abs(numeric));
      if (!(error <= tolerance)) {
        throw new Error(
          `gradcheck: input ${i} ${shapeText(shape)}, element ${at}: the gradient is ${found}, central differences give ${numeric}`,
        );
      }
      worst = Math.max(worst, error);
    }
  }
  return worst;
}

/** Σ wᵢ·yᵢ with distinct weights of either sign, so that no error can cancel. */
function weighted(y: Tensor): Tensor {
  const weights = Float64Array.from({ length: y.size }, (_, i) => Math.sin(1 + 1.7 * i));
  return y.mul(tensor(weights, { shape: y.shape, device: y.device })).sum();
}
