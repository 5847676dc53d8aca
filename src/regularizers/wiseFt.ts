/**
 * WiSE-FT (Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, equation 1): weights between the pre-trained and the
 * fine-tuned ones, (1 − α)·W⁰ + α·W, chosen after training.
 */
import type { ModuleState, ModuleStateEntry } from '../nn/index.ts';
import { shapeText } from '../tensor/shape.ts';

type State = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: ArrayLike<number> | ArrayLike<bigint> }
>;

/**
 * A state between two of one network: α = 0 is `pretrained`, 1 is `finetuned`. Running statistics of BatchNorm are interpolated as the
 * weights are. What `pretrained` has not, or in another shape (the classifier, when the classes differ), and counters are
 * `finetuned`'s. Throws where α is not between 0 and 1, and where nothing fits.
 */
export function interpolateWeights(pretrained: State, finetuned: ModuleState, alpha: number): ModuleState {
  if (!(alpha >= 0 && alpha <= 1))
    throw new RangeError(`interpolateWeights: α is ${alpha}; it must be between 0 and 1`);
  const fits = ([name, entry]: [string, ModuleStateEntry]) =>
    entry.dtype !== 'i64' &&
    shapeText(pretrained.get(name)?.shape ?? []) === shapeText(entry.shape) &&
    pretrained.has(name);
  const entries = [...finetuned];
  if (!entries.some(fits)) throw new Error('interpolateWeights: the two have no tensor of one name and shape');
  return new Map(
    entries.map(([name, entry]) => {
      if (!fits([name, entry])) return [name, entry];
      const from = pretrained.get(name)!.data as ArrayLike<number>;
      const data = (entry.data as Float32Array | Float64Array).map(
        (value, i) => (1 - alpha) * from[i]! + alpha * value,
      );
      return [name, { ...entry, data }];
    }),
  );
}
