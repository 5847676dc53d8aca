/**
 * The weights of a model as plain data: what file readers return and what modules load.
 *
 * Half-precision and narrow integer types of files are widened on reading, which is exact:
 * f16, bf16 → f32; i8, i16, u16 → i32; u32 → i64.
 */
import { quote, showShape } from './errors.ts';

interface StateArrays {
  f32: Float32Array;
  f64: Float64Array;
  i32: Int32Array;
  i64: BigInt64Array;
  u8: Uint8Array;
  /** One byte a value; 0 is false. */
  bool: Uint8Array;
}

export type StateDtype = keyof StateArrays;
export type StateData = StateArrays[StateDtype];

/** One tensor: `data` holds the product of `shape` values, row-major; a scalar has shape `[]`. */
export interface StateEntry {
  readonly shape: readonly number[];
  readonly dtype: StateDtype;
  readonly data: StateData;
}

/** Tensors by name, in the order of the file. */
export type StateDict = Map<string, StateEntry>;

export const STATE_ARRAYS = {
  f32: Float32Array,
  f64: Float64Array,
  i32: Int32Array,
  i64: BigInt64Array,
  u8: Uint8Array,
  bool: Uint8Array,
} as const;

/** Number of values of a shape: 1 for `[]`. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function dtypeOf(data: StateData): StateDtype {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  if (data instanceof Int32Array) return 'i32';
  return data instanceof BigInt64Array ? 'i64' : 'u8';
}

/** What is wrong with an entry, or null: a size that is no count, data of another length or another array type. */
export function problemOfEntry({ shape, dtype, data }: StateEntry): string | null {
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0))
    return `has the impossible shape ${showShape(shape)}`;
  const count = countOf(shape);
  if (count !== data.length) return `has shape ${showShape(shape)}, ${count} values, but ${data.length} values of data`;
  if (!Object.hasOwn(STATE_ARRAYS, dtype)) {
    return `has dtype ${quote(String(dtype))}; needed: one of ${Object.keys(STATE_ARRAYS).join(', ')}`;
  }
  const needed = STATE_ARRAYS[dtype];
  return data instanceof needed ? null : `has dtype ${dtype} but its data is no ${needed.name}`;
}

/**
 * Makes an entry. The dtype follows from the array's type; say `'bool'` for bytes that are truth values.
 * Throws a RangeError when shape, dtype and data do not agree.
 */
export function stateEntry(shape: readonly number[], data: StateData, dtype: StateDtype = dtypeOf(data)): StateEntry {
  const entry: StateEntry = { shape: [...shape], dtype, data };
  const problem = problemOfEntry(entry);
  if (problem !== null) throw new RangeError(`The state entry ${problem}.`);
  return entry;
}

/**
 * The values of a floating-point entry as float32: the entry's own array when it is float32 (not a copy), else rounded
 * to nearest. Throws a TypeError that names the tensor for integers and truth values.
 */
export function toFloat32(entry: StateEntry, name: string): Float32Array {
  if (entry.data instanceof Float32Array) return entry.data;
  if (entry.data instanceof Float64Array) return new Float32Array(entry.data);
  throw new TypeError(`The tensor ${quote(name)} holds ${entry.dtype} values; needed: a floating-point type.`);
}

/** DataParallel's and AveragedModel's, torch.compile's. */
const WRAPPERS = ['module.', '_orig_mod.'];

/**
 * The state under the names of the model itself: without the prefixes, also nested, that PyTorch's wrappers of whole models put before
 * every name, and without AveragedModel's own `n_averaged`.
 */
export function stripWrappers(state: StateDict): StateDict {
  const names = [...state.keys()].filter((name) => name !== 'n_averaged');
  const isAveraged = names.length < state.size && names.every((name) => name.startsWith('module.'));
  let stripped = isAveraged ? new Map(names.map((name) => [name, state.get(name)!])) : state;
  for (;;) {
    const before = stripped;
    for (const prefix of WRAPPERS) stripped = stripPrefix(stripped, prefix);
    if (stripped === before) return stripped;
  }
}

/** The state without `prefix` when every name carries it (such as `module.` from DataParallel), else unchanged. */
export function stripPrefix(state: StateDict, prefix: string): StateDict {
  const names = [...state.keys()];
  if (names.length === 0 || !names.every((name) => name.startsWith(prefix) && name.length > prefix.length))
    return state;
  return new Map([...state].map(([name, entry]) => [name.slice(prefix.length), entry]));
}
