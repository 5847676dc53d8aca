/**
 * The safetensors format (https://github.com/huggingface/safetensors, "Format"): an 8-byte little-endian header length N,
 * N bytes of JSON, and the tensors' bytes. Every tensor's `data_offsets` count from the end of the header; together they
 * cover the data without hole or overlap. `__metadata__` maps strings to strings.
 */
import { decodeElements, ELEMENTS, type FileElement } from './elements.ts';
import { quote, showShape, WeightFileError } from './errors.ts';
import { duplicateJsonKey } from './json.ts';
import { countOf, problemOfEntry, type StateDict, type StateDtype, type StateEntry } from './state.ts';

export type SafetensorsMetadata = Readonly<Record<string, string>>;

export interface SafetensorsFile {
  /** In the order of the data. */
  readonly state: StateDict;
  /** `__metadata__`; empty when the file has none. */
  readonly metadata: SafetensorsMetadata;
}

/** The limit of the reference implementation. */
const LARGEST_HEADER_BYTES = 100_000_000;

const OPENING_BRACE = 0x7b;

const ELEMENT_OF_NAME = new Map<unknown, FileElement>([
  ['F64', 'f64'],
  ['F32', 'f32'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
  ['I64', 'i64'],
  ['I32', 'i32'],
  ['I16', 'i16'],
  ['I8', 'i8'],
  ['U32', 'u32'],
  ['U16', 'u16'],
  ['U8', 'u8'],
  ['BOOL', 'bool'],
]);

interface TensorSpan {
  readonly name: string;
  readonly element: FileElement;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function readHeader(bytes: Uint8Array, source: string): { header: JsonObject; dataStart: number } {
  if (bytes.length < 8) {
    throw new WeightFileError(
      source,
      `is truncated: a safetensors file starts with 8 bytes, this one has ${bytes.length}.`,
    );
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > LARGEST_HEADER_BYTES) {
    throw new WeightFileError(
      source,
      `announces a header of ${length} bytes; safetensors allows ${LARGEST_HEADER_BYTES}. It is damaged or another format.`,
    );
  }
  const dataStart = 8 + Number(length);
  if (dataStart > bytes.length) {
    throw new WeightFileError(
      source,
      `is truncated: the header ends at byte ${dataStart}, the file at ${bytes.length}.`,
    );
  }
  let header: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, dataStart));
    header = JSON.parse(text);
    const duplicate = duplicateJsonKey(text);
    if (duplicate !== null) throw new WeightFileError(source, `names ${quote(duplicate)} twice in its header.`);
  } catch (error) {
    if (error instanceof WeightFileError) throw error;
    throw new WeightFileError(source, 'is damaged: its safetensors header is not JSON in UTF-8.');
  }
  if (!isObject(header) || bytes[8] !== OPENING_BRACE)
    throw new WeightFileError(source, 'is damaged: its safetensors header does not start as a JSON object.');
  return { header, dataStart };
}

function readMetadata(value: unknown, source: string): SafetensorsMetadata {
  if (value === undefined) return {};
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === 'string')) {
    throw new WeightFileError(source, "has a '__metadata__' that is not a map from strings to strings.");
  }
  return value as SafetensorsMetadata;
}

function readSpan(name: string, info: unknown, source: string): TensorSpan {
  const fail = (problem: string): never => {
    throw new WeightFileError(source, `tensor ${quote(name)} ${problem}`);
  };
  if (!isObject(info)) return fail('is not described by a JSON object.');
  const { dtype, shape, data_offsets: offsets } = info;
  const element = ELEMENT_OF_NAME.get(dtype);
  if (element === undefined) {
    const shown = typeof dtype === 'string' ? quote(dtype) : 'that is no string';
    return fail(`has a dtype ${shown}; readable are ${[...ELEMENT_OF_NAME.keys()].join(', ')}.`);
  }
  if (!isCounts(shape)) return fail('has a shape that is not a list of non-negative integers.');
  if (!isCounts(offsets) || offsets.length !== 2)
    return fail('has data_offsets that are not two non-negative integers.');
  const [begin, end] = offsets as [number, number];
  const needed = countOf(shape) * ELEMENTS[element].bytes;
  if (end - begin !== needed) {
    return fail(
      `has shape ${showShape(shape)} of ${dtype}, ${needed} bytes, but data_offsets [${offsets}] of ${end - begin} bytes.`,
    );
  }
  return { name, element, shape, begin, end };
}

/** Holds the format's rule that tensors cover the data exactly, which also bounds what is allocated by the file's size. */
function checkCoverage(spans: readonly TensorSpan[], dataBytes: number, source: string): void {
  let covered = 0;
  for (const { name, begin, end } of spans) {
    if (end > dataBytes) {
      throw new WeightFileError(
        source,
        `is truncated: tensor ${quote(name)} ends at data byte ${end}, the file holds ${dataBytes}.`,
      );
    }
    if (begin !== covered) {
      const problem = begin < covered ? 'overlaps the tensor before it' : 'leaves a hole before it';
      throw new WeightFileError(
        source,
        `tensor ${quote(name)} ${problem}: it begins at ${begin}, expected ${covered}.`,
      );
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    throw new WeightFileError(source, `holds ${dataBytes - covered} bytes after its last tensor that belong to none.`);
  }
}

/**
 * Reads a safetensors file. The arrays are copies; `bytes` may be dropped.
 *
 * @param source what errors call the file.
 * @throws WeightFileError for a file that breaks the format or holds a dtype that is not read.
 */
export function readSafetensors(bytes: Uint8Array, source = 'safetensors data'): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes, source);
  const { __metadata__, ...tensors } = header;
  const metadata = readMetadata(__metadata__, source);
  const spans = Object.entries(tensors).map(([name, info]) => readSpan(name, info, source));
  spans.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(spans, bytes.length - dataStart, source);
  const state: StateDict = new Map();
  for (const { name, element, shape, begin, end } of spans) {
    const data = decodeElements(element, bytes.subarray(dataStart + begin, dataStart + end));
    state.set(name, { shape, dtype: ELEMENTS[element].heldAs, data });
  }
  return { state, metadata };
}

/** Files are written in this order of dtypes, then by name, as the reference implementation does: every tensor is aligned. */
const WRITING_ORDER: readonly StateDtype[] = ['i64', 'f64', 'f32', 'i32', 'u8', 'bool'];

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function checkText(text: string, what: string, source: string): void {
  if (!text.isWellFormed()) {
    throw new WeightFileError(source, `cannot be written: ${what} ${quote(text)} holds half a surrogate pair.`);
  }
}

function checkedTensors(state: StateDict, source: string): [name: string, entry: StateEntry][] {
  for (const [name, entry] of state) {
    checkText(name, 'the name', source);
    const problem = name === '__metadata__' ? 'has a name that the format reserves' : problemOfEntry(entry);
    if (problem !== null) throw new WeightFileError(source, `cannot be written: tensor ${quote(name)} ${problem}.`);
  }
  return [...state].sort(
    ([nameA, a], [nameB, b]) =>
      WRITING_ORDER.indexOf(a.dtype) - WRITING_ORDER.indexOf(b.dtype) || compareText(nameA, nameB),
  );
}

/**
 * The safetensors file of a state. Equal contents give equal bytes, whatever the insertion order: tensors are sorted by
 * dtype (widest first) and name, metadata by key; spaces pad the header so that the data begins at a multiple of 8.
 *
 * @param source what errors call the file.
 * @throws WeightFileError for an entry whose shape, dtype and data disagree, or a name that cannot be stored.
 */
export function writeSafetensors(
  state: StateDict,
  metadata: SafetensorsMetadata = {},
  source = 'safetensors data',
): Uint8Array<ArrayBuffer> {
  const tensors = checkedTensors(state, source);
  // Joined by hand because an object would reorder keys that look like integers.
  const members: string[] = [];
  const texts = Object.entries(metadata).sort(([a], [b]) => compareText(a, b));
  for (const pair of texts) for (const text of pair) checkText(text, 'the metadata', source);
  if (texts.length > 0) {
    const pairs = texts.map(([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`);
    members.push(`"__metadata__":{${pairs.join(',')}}`);
  }
  let dataBytes = 0;
  for (const [name, { dtype, shape, data }] of tensors) {
    const end = dataBytes + data.byteLength;
    const info = { dtype: dtype.toUpperCase(), shape, data_offsets: [dataBytes, end] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(info)}`);
    dataBytes = end;
  }
  const json = new TextEncoder().encode(`{${members.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;

  const file = new Uint8Array(8 + headerBytes + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, 8);
  file.fill(0x20, 8 + json.length, 8 + headerBytes);
  let at = 8 + headerBytes;
  for (const [, { data }] of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
