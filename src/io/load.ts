import { WeightFileError } from './errors.ts';
import { isZip, readPytorch } from './pytorch/read.ts';
import { stateDictOf } from './pytorch/state-dict.ts';
import { readSafetensors, type SafetensorsMetadata } from './safetensors.ts';
import type { StateDict } from './state.ts';

/** What is often mistaken for weights, by how it starts. */
const MISTAKEN: readonly (readonly [start: RegExp, what: string])[] = [
  [/^version https:\/\/git-lfs/, 'it is a Git LFS pointer; fetch the file itself with `git lfs pull`.'],
  [/^\s*<(!doctype|html|\?xml)/i, 'it is a web page, probably an error message of the download.'],
  [/^\x89HDF\r\n/, 'it is HDF5, such as Keras writes.'],
];

/** PROTO, or the ways in which protocols 0 and 1 may begin: the magic number, or an import, so that it is refused by name. */
function isPickle(start: string): boolean {
  return start.startsWith('\x80') || /^(L\d+L\n|\(*[ci][\w.]+\n[\w.]+\n)/.test(start);
}

/** The weights of `readWeightFile` alone. */
export const readWeights = (bytes: Uint8Array, source?: string): StateDict => readWeightFile(bytes, source).state;

/**
 * Reads weights from the bytes of a file: safetensors, or PyTorch's zip or legacy format, told apart by content. Metadata is
 * safetensors' own; PyTorch's files have none.
 *
 * @param source what errors call the file.
 * @throws WeightFileError for anything else, and for damaged or dangerous files.
 */
export function readWeightFile(
  bytes: Uint8Array,
  source = 'weight data',
): { state: StateDict; metadata: SafetensorsMetadata } {
  if (bytes.length === 0) throw new WeightFileError(source, 'is empty.');
  const start = String.fromCharCode(...bytes.subarray(0, 128));
  // Byte 8 of a safetensors file opens its JSON header; it is the compression method in a zip, 0 in PyTorch's.
  if (start[8] === '{') return readSafetensors(bytes, source);
  if (isZip(bytes) || isPickle(start)) return { state: stateDictOf(readPytorch(bytes, source), source), metadata: {} };
  const mistaken = MISTAKEN.find(([pattern]) => pattern.test(start));
  throw new WeightFileError(
    source,
    `is no weight file that can be read: ${mistaken?.[1] ?? 'it starts like none of them.'} Readable are safetensors and PyTorch's .pt, .pth, .th.`,
  );
}
