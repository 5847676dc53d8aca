import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { StateDict } from '../../src/io/index.ts';

const folder = new URL('../golden/io/', import.meta.url);

/** A file that test/golden/make_weight_files.py made. */
export function golden(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(name, folder)));
}

interface HeldTensor {
  readonly shape: readonly number[];
  readonly dtype: string;
  /** In Python's notation. */
  readonly values: readonly string[];
}

const PYTHON_NAMES = new Map([
  ['inf', 'Infinity'],
  ['-inf', '-Infinity'],
]);

/** The state holds exactly what PyTorch said of the golden file; bits of zero included. */
export function expectGolden(state: StateDict, name: string, ordered = true): void {
  const all: Record<string, Record<string, HeldTensor>> = JSON.parse(
    readFileSync(new URL('expected.json', folder), 'utf8'),
  );
  const expected = all[name]!;
  const names = Object.keys(expected);
  expect(ordered ? [...state.keys()] : [...state.keys()].sort()).toEqual(ordered ? names : names.sort());
  for (const [key, { shape, dtype, values }] of Object.entries(expected)) {
    const entry = state.get(key)!;
    expect([key, entry.dtype, entry.shape]).toEqual([key, dtype, shape]);
    const numbers = values.map((text) => PYTHON_NAMES.get(text) ?? text);
    const wanted = dtype === 'i64' ? numbers.map(BigInt) : numbers.map(Number);
    expect([...entry.data], key).toEqual(wanted);
  }
}

/** Every proper prefix of the bytes, or about `most` of them evenly spread. */
export function* truncations(bytes: Uint8Array, most: number): Generator<Uint8Array> {
  const step = Math.max(1, Math.floor(bytes.length / most));
  for (let length = 0; length < bytes.length; length += step) yield bytes.subarray(0, length);
}
