/** What the bounds ask of the training images, as the network sees them. */
import { noGrad } from '../../autograd/tape.ts';
import type { Module } from '../../nn/module.ts';
import { tensor } from '../../tensor/create.ts';
import { scope } from '../../tensor/scope.ts';

export interface DataConstants {
  /** m. */
  readonly examples: number;
  /** d: elements of one input. */
  readonly inputs: number;
  /** c. */
  readonly classes: number;
  /** X_∞: the largest |x| of all elements. */
  readonly largestElement: number;
  /** X₂ = √(Σ‖x‖₂²/m). */
  readonly rmsNorm: number;
  /** max over places in the input of √(Σx²/m), over the examples. */
  readonly largestPlaceRms: number;
}

/** What a `Batch` of the loader holds: (N, C, H, W) row-major. */
export interface ImageBatch {
  readonly images: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** One pass over the training inputs, after all preprocessing and without augmentation. Throws where there are none. */
export async function dataConstants(
  batches: AsyncIterable<ImageBatch> | Iterable<ImageBatch>,
  classes: number,
): Promise<DataConstants> {
  let [examples, largestElement] = [0, 0];
  let squares = new Float64Array(0);
  for await (const { images, shape } of batches) {
    const [count = 0] = shape;
    const inputs = images.length / count;
    if (squares.length === 0) squares = new Float64Array(inputs);
    if (inputs !== squares.length)
      throw new RangeError(`dataConstants: an input has ${inputs} elements, those before it ${squares.length}`);
    for (let i = 0; i < images.length; i++) {
      const value = images[i]!;
      largestElement = Math.max(largestElement, Math.abs(value));
      squares[i % inputs]! += value * value;
    }
    examples += count;
  }
  if (examples === 0) throw new RangeError('dataConstants: there are no examples');
  const rmsOf = (squared: number) => Math.sqrt(squared / examples);
  return {
    examples,
    inputs: squares.length,
    classes,
    largestElement,
    rmsNorm: rmsOf(squares.reduce((sum, square) => sum + square, 0)),
    largestPlaceRms: rmsOf(squares.reduce((most, square) => Math.max(most, square), 0)),
  };
}

/**
 * The share of examples whose margin, the logit of their label less the largest other, is at most `margin`: no less than the ramp
 * loss that a margin bound adds its complexity to. The model is put into evaluation mode.
 */
export async function shareWithinMargin(
  model: Module,
  batches: AsyncIterable<ImageBatch & { readonly labels: Int32Array }>,
  margin: number,
): Promise<number> {
  model.eval();
  let [within, examples] = [0, 0];
  for await (const { images, shape, labels } of batches) {
    const logits = scope(() =>
      noGrad(() => model.forward(tensor(Float32Array.from(images), { shape, device: model.device }))),
    );
    const values = Array.from(await logits.data());
    logits.dispose();
    const classes = values.length / labels.length;
    labels.forEach((label, n) => {
      const row = values.slice(n * classes, (n + 1) * classes);
      const others = row.filter((_, j) => j !== label);
      if (!(row[label]! - Math.max(...others) > margin)) within++;
    });
    examples += labels.length;
  }
  return within / examples;
}
