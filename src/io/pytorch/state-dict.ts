import { quote, WeightFileError } from '../errors.ts';
import { type StateDict, type StateEntry, stripWrappers } from '../state.ts';
import type { PytorchValue } from './read.ts';

/** Where training scripts put the weights, and before them their running average, which is what timm loads and what is evaluated. */
const KEYS = ['state_dict_ema', 'model_ema', 'state_dict', 'model_state_dict', 'model', 'net'] as const;

function isEntry(value: PytorchValue): value is StateEntry {
  return typeof value === 'object' && value !== null && 'dtype' in value;
}

function describe(value: PytorchValue): string {
  if (!(value instanceof Map)) return isEntry(value) ? 'a single tensor' : 'no dictionary';
  const names = [...value.keys()].slice(0, 8).map((key) => (typeof key === 'string' ? quote(key) : `a ${typeof key}`));
  return `a dictionary of ${value.size}: ${names.join(', ')}${value.size > 8 ? ', …' : ''}`;
}

/** The tensors of a dictionary that holds nothing else, or the key of the first other value. */
function tensorsOf(dictionary: Map<PytorchValue, PytorchValue>): { state: StateDict; other: PytorchValue | undefined } {
  const state: StateDict = new Map();
  for (const [key, value] of dictionary) {
    if (typeof key !== 'string' || !isEntry(value)) return { state, other: key };
    state.set(key, value);
  }
  return { state, other: undefined };
}

/**
 * Finds the state dict in what a PyTorch file holds: the value itself, or what stands under the first of `state_dict_ema`,
 * `model_ema`, `state_dict`, `model_state_dict`, `model` and `net` that there is. Names lose what wrappers put before all of them.
 *
 * @throws WeightFileError that says what the file holds instead.
 */
export function stateDictOf(value: PytorchValue, source = 'PyTorch data'): StateDict {
  if (value instanceof Map) {
    const found = KEYS.find((key) => value.get(key) instanceof Map);
    const candidate = found === undefined ? value : (value.get(found) as typeof value);
    const { state, other } = tensorsOf(candidate);
    if (other === undefined && state.size > 0) return stripWrappers(state);
    if (found !== undefined && other !== undefined) {
      const name = typeof other === 'string' ? quote(other) : `a ${typeof other}`;
      throw new WeightFileError(source, `holds under '${found}' not only tensors by name: ${name} is none.`);
    }
  }
  throw new WeightFileError(
    source,
    `holds no state dict: it is ${describe(value)}. Needed: tensors by name, at the top or under ${KEYS.join(', ')}.`,
  );
}
