/**
 * PyTorch's `.pt`, `.pth`, `.th`: the zip format of torch 1.6 and later, and the legacy format before it
 * (torch/serialization.py, `_load` and `_legacy_load`).
 */
import { quote, WeightFileError } from '../errors.ts';
import type { StateEntry } from '../state.ts';
import { Cursor } from './cursor.ts';
import { loadStorage, makeHost } from './globals.ts';
import { TensorCollector } from './tensors.ts';
import { unpickle } from './unpickler.ts';
import { StoredZip } from './zip.ts';

/**
 * What `torch.save` stored: tensors become entries (a parameter is its tensor), dict → Map, list and tuple → array,
 * None → null, int → number or bigint, bytes → Uint8Array, torch.device and torch.dtype → their name, argparse.Namespace → Map.
 */
export type PytorchValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | StateEntry
  | PytorchValue[]
  | Set<PytorchValue>
  | Map<PytorchValue, PytorchValue>;

const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;

function refuseBigEndian(source: string): never {
  throw new WeightFileError(
    source,
    'was written on a big-endian machine, which is not read; load it in PyTorch on a common machine and save it again.',
  );
}

export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

function readZip(bytes: Uint8Array, source: string): unknown {
  const archive = new StoredZip(bytes, source);
  const pickleName = [...archive.names].find((name) => /^([^/]+\/)?data\.pkl$/.test(name));
  const pickle = pickleName === undefined ? null : archive.read(pickleName);
  if (pickleName === undefined || pickle === null) {
    throw new WeightFileError(source, 'is a zip archive without data.pkl, so torch.save did not write it.');
  }
  const root = pickleName.slice(0, -'data.pkl'.length);
  if (archive.has(`${root}constants.pkl`)) {
    throw new WeightFileError(
      source,
      'is a TorchScript program; needed: weights, saved as torch.save(model.state_dict(), …).',
    );
  }
  const byteOrder = new TextDecoder().decode(archive.read(`${root}byteorder`) ?? new Uint8Array(0));
  if (byteOrder === 'big') refuseBigEndian(source);
  const tensors = new TensorCollector(source, bytes.length);
  const host = makeHost(source, tensors, (id) => loadStorage(id, tensors));
  const value = unpickle(new Cursor(pickle, source), host);
  for (const key of tensors.storages.keys()) {
    const record = archive.read(`${root}data/${key}`);
    if (record === null) throw new WeightFileError(source, `is damaged: it lacks the zip record data/${quote(key)}.`);
    tensors.attach(key, record);
  }
  tensors.fill();
  return value;
}

function readLegacy(bytes: Uint8Array, source: string): unknown {
  const input = new Cursor(bytes, source);
  const tensors = new TensorCollector(source, bytes.length);
  const host = makeHost(source, tensors, (id) => loadStorage(id, tensors));
  const magic = unpickle(input, host);
  if (magic !== MAGIC_NUMBER) throw new WeightFileError(source, 'is a Python pickle that torch.save did not write.');
  const protocol = unpickle(input, host);
  if (protocol !== LEGACY_PROTOCOL) {
    throw new WeightFileError(
      source,
      `is of an unknown version of PyTorch's legacy format; needed: ${LEGACY_PROTOCOL}.`,
    );
  }
  const system = unpickle(input, host);
  if (system instanceof Map && system.get('little_endian') === false) refuseBigEndian(source);
  const value = unpickle(input, host);
  const keys = unpickle(input, host);
  if (!Array.isArray(keys)) throw new WeightFileError(source, 'is damaged: the list of its storages is missing.');
  for (const key of keys) {
    const storage = typeof key === 'string' ? tensors.storages.get(key) : undefined;
    if (storage === undefined) throw new WeightFileError(source, 'is damaged: it lists a storage that no tensor uses.');
    const count = input.u64();
    if (count !== storage.count) {
      throw new WeightFileError(
        source,
        `is damaged: storage ${quote(key)} has ${count} values, expected ${storage.count}.`,
      );
    }
    tensors.attach(key, input.take(storage.byteLength));
  }
  tensors.fill();
  return value;
}

/**
 * Reads a PyTorch file of either format without running anything of it. Tensors that share all they show share one array.
 *
 * @param source what errors call the file.
 * @throws WeightFileError for what is damaged, and for a pickle that imports anything but tensors and plain containers.
 */
export function readPytorch(bytes: Uint8Array, source = 'PyTorch data'): PytorchValue {
  return (isZip(bytes) ? readZip(bytes, source) : readLegacy(bytes, source)) as PytorchValue;
}
