/**
 * Tensors of a PyTorch file: a tensor is a strided window on a storage, a storage a run of bytes that several tensors may
 * share. Pickles come before their storages in the legacy format, so windows are collected first and filled at the end.
 */
import { decodeElements, ELEMENTS, type FileElement } from '../elements.ts';
import { quote, showShape, WeightFileError } from '../errors.ts';
import { countOf, STATE_ARRAYS, type StateData, type StateDtype, type StateEntry } from '../state.ts';

/** torch's own limit. */
const MOST_DIMENSIONS = 64;
/** Widened types, shared storages and expanded tensors make the arrays larger than the file, but not by more than this. */
const LARGEST_EXPANSION = 16;
const FREE_BYTES = 64 * 2 ** 20;

class Storage {
  readonly key: string;
  /** What the pickle says it holds: that many values of that many bytes. */
  readonly count: number;
  readonly width: number;
  bytes: Uint8Array | null = null;
  /** Arrays already made of it, by what they show: tensors that show the same share one array. */
  readonly arrays = new Map<string, StateData>();

  constructor(key: string, count: number, width: number) {
    this.key = key;
    this.count = count;
    this.width = width;
  }

  get byteLength(): number {
    return this.count * this.width;
  }
}

/** Part of a storage as the pickle names it: all of it, or a view. */
export class StorageWindow {
  readonly storage: Storage;
  readonly element: FileElement;
  readonly byteOffset: number;
  readonly byteLength: number;

  constructor(storage: Storage, element: FileElement, byteOffset: number, byteLength: number) {
    this.storage = storage;
    this.element = element;
    this.byteOffset = byteOffset;
    this.byteLength = byteLength;
  }
}

/** What a pickle says of a tensor; sizes and steps count elements. */
export interface TensorSpec {
  readonly window: StorageWindow;
  readonly element: FileElement;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}

interface UnfilledEntry {
  readonly shape: readonly number[];
  readonly dtype: StateDtype;
  data: StateData;
}

function isContiguous(shape: readonly number[], stride: readonly number[]): boolean {
  let expected = 1;
  for (let dimension = shape.length - 1; dimension >= 0; dimension--) {
    const size = shape[dimension]!;
    if (size !== 1 && stride[dimension] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** to[i₀, i₁, …] = from[offset + Σ iₖ·strideₖ], walked in row-major order like an odometer. */
function gather(from: StateData, to: StateData, { offset, shape, stride }: TensorSpec): void {
  const moving = shape.map((_, dimension) => dimension).filter((dimension) => shape[dimension] !== 1);
  const sizes = moving.map((dimension) => shape[dimension]!);
  const steps = moving.map((dimension) => stride[dimension]!);
  const index = sizes.map(() => 0);
  // Both arrays are of one type, which the compiler cannot know.
  const source = from as Float64Array;
  const target = to as Float64Array;
  let at = offset;
  for (let i = 0; i < target.length; i++) {
    target[i] = source[at]!;
    for (let dimension = sizes.length - 1; dimension >= 0; dimension--) {
      at += steps[dimension]!;
      if (++index[dimension]! < sizes[dimension]!) break;
      at -= steps[dimension]! * sizes[dimension]!;
      index[dimension] = 0;
    }
  }
}

export class TensorCollector {
  readonly #source: string;
  readonly #storages = new Map<string, Storage>();
  readonly #unfilled: { readonly entry: UnfilledEntry; readonly spec: TensorSpec; readonly what: string }[] = [];
  #bytesLeft: number;

  constructor(source: string, fileBytes: number) {
    this.#source = source;
    this.#bytesLeft = LARGEST_EXPANSION * fileBytes + FREE_BYTES;
  }

  fail(problem: string): never {
    throw new WeightFileError(this.#source, problem);
  }

  get storages(): ReadonlyMap<string, Pick<Storage, 'count' | 'byteLength'>> {
    return this.#storages;
  }

  /** The storage of that key, on first mention a new one of `count` values of `width` bytes. */
  storage(key: string, count: number, width: number): Storage {
    const known = this.#storages.get(key);
    if (known !== undefined && (known.count !== count || known.width !== width)) {
      this.fail(`is damaged: its pickle gives two sizes of storage ${quote(key)}.`);
    }
    const storage = known ?? new Storage(key, count, width);
    this.#storages.set(key, storage);
    return storage;
  }

  /** Gives a storage its bytes, which must be as many as the pickle said. */
  attach(key: string, bytes: Uint8Array): void {
    const storage = this.#storages.get(key);
    if (storage === undefined) this.fail(`is damaged: it holds storage ${quote(key)}, which no tensor uses.`);
    if (bytes.length !== storage.byteLength) {
      this.fail(
        `is damaged: storage ${quote(key)} has ${bytes.length} bytes, its tensors expect ${storage.byteLength}.`,
      );
    }
    storage.bytes = bytes;
  }

  /** The entry that `fill` will give its data. Refuses a tensor that reaches outside of its window. */
  tensor(spec: TensorSpec, label: string | undefined): StateEntry {
    const { window, element, offset, shape, stride } = spec;
    const what = `the tensor ${label === undefined ? '' : `${quote(label)} `}of shape ${showShape(shape)}`;
    if (shape.length !== stride.length || shape.length > MOST_DIMENSIONS) {
      this.fail(`is damaged: ${what} has strides ${showShape(stride)}.`);
    }
    const count = countOf(shape);
    const last = count === 0 ? -1 : shape.reduce((at, size, dimension) => at + (size - 1) * stride[dimension]!, offset);
    const capacity = Math.floor(window.byteLength / ELEMENTS[element].bytes);
    if (!Number.isSafeInteger(count) || last >= capacity) {
      this.fail(
        `is damaged: ${what} reaches outside of its storage ${quote(window.storage.key)} of ${capacity} values.`,
      );
    }
    const dtype = ELEMENTS[element].heldAs;
    const entry: UnfilledEntry = { shape: [...shape], dtype, data: new STATE_ARRAYS[dtype](0) };
    this.#unfilled.push({ entry, spec, what });
    return entry;
  }

  /** Gives every entry its data, once all storages have their bytes. */
  fill(): void {
    for (const { entry, spec, what } of this.#unfilled) {
      const key = `${spec.element} ${spec.window.byteOffset}+${spec.offset} [${spec.shape}] [${spec.stride}]`;
      const { arrays } = spec.window.storage;
      const data = arrays.get(key) ?? this.#read(spec, what);
      arrays.set(key, data);
      entry.data = data;
    }
  }

  #read(spec: TensorSpec, what: string): StateData {
    const { window, element, offset, shape, stride } = spec;
    const { bytes: width, heldAs } = ELEMENTS[element];
    const count = countOf(shape);
    if (count === 0) return new STATE_ARRAYS[heldAs](0);
    if (isContiguous(shape, stride)) return this.#decode(window, element, offset * width, count, what);
    const key = `${element} ${window.byteOffset} whole ${window.byteLength}`;
    const { arrays } = window.storage;
    const whole = arrays.get(key) ?? this.#decode(window, element, 0, Math.floor(window.byteLength / width), what);
    arrays.set(key, whole);
    this.#spend(count * ELEMENTS[element].heldBytes, what);
    const data = new STATE_ARRAYS[heldAs](count);
    gather(whole, data, spec);
    return data;
  }

  #decode(window: StorageWindow, element: FileElement, start: number, count: number, what: string): StateData {
    const { bytes } = window.storage;
    if (bytes === null)
      return this.fail(`is damaged: ${what} needs storage ${quote(window.storage.key)}, which is missing.`);
    this.#spend(count * ELEMENTS[element].heldBytes, what);
    const at = window.byteOffset + start;
    return decodeElements(element, bytes.subarray(at, at + count * ELEMENTS[element].bytes));
  }

  #spend(bytes: number, what: string): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0) {
      this.fail(
        `is refused at ${what}: its tensors would fill more than ${LARGEST_EXPANSION} times the size of the file.`,
      );
    }
  }
}
