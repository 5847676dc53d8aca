import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  readSafetensors,
  type StateDict,
  type StateEntry,
  stateEntry,
  WeightFileError,
  writeSafetensors,
} from '../../src/io/index.ts';
import { expectGolden, golden, truncations } from './golden.ts';

const header = (text: string, data = 0): Uint8Array => {
  const json = new TextEncoder().encode(text);
  const file = new Uint8Array(8 + json.length + data);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
};
const refusal = (bytes: Uint8Array): string => {
  try {
    readSafetensors(bytes, 'w.safetensors');
  } catch (error) {
    expect(error).toBeInstanceOf(WeightFileError);
    const { message } = error as WeightFileError;
    expect(message).toMatch(/^w\.safetensors: [^\n]+\.$/);
    return message;
  }
  return 'read without error';
};
const tensor = (members: string): string => `{"a":{${members}}}`;

const entries: fc.Arbitrary<StateEntry> = fc
  .tuple(
    fc.array(fc.nat({ max: 3 }), { maxLength: 4 }),
    fc.constantFrom('f32', 'f64', 'i32', 'i64', 'u8', 'bool'),
    fc.infiniteStream(fc.maxSafeInteger()),
  )
  .map(([shape, dtype, numbers]) => {
    const count = shape.reduce((a, b) => a * b, 1);
    const values = [...numbers.take(count)];
    if (dtype === 'f32')
      return stateEntry(
        shape,
        Float32Array.from(values, (v) => v / 1e9),
      );
    if (dtype === 'f64')
      return stateEntry(
        shape,
        Float64Array.from(values, (v) => v / 3),
      );
    if (dtype === 'i32') return stateEntry(shape, Int32Array.from(values));
    if (dtype === 'i64') return stateEntry(shape, BigInt64Array.from(values, BigInt));
    return stateEntry(
      shape,
      Uint8Array.from(values, (v) => v & 1),
      dtype === 'bool' ? 'bool' : 'u8',
    );
  });
const names = fc.string({ unit: 'binary' }).filter((name) => name !== '__metadata__');
const states: fc.Arbitrary<StateDict> = fc.array(fc.tuple(names, entries), { maxLength: 8 }).map((all) => new Map(all));
const metadatas = fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), {
  noNullPrototype: true,
});
const sorted = (state: StateDict): [string, StateEntry][] => [...state].sort(([a], [b]) => (a < b ? -1 : 1));

describe('reading safetensors', () => {
  it('reads what the Python package wrote, in every dtype', () => {
    const { state, metadata } = readSafetensors(golden('dtypes.safetensors'));
    expectGolden(state, 'dtypes.safetensors', false);
    expect(metadata).toEqual({ format: 'pt' });
    expectGolden(readSafetensors(golden('plain.safetensors')).state, 'plain.safetensors', false);
  });

  it('reads a view into a larger buffer, and copies', () => {
    const file = golden('plain.safetensors');
    const larger = new Uint8Array(file.length + 10);
    larger.set(file, 3);
    const { state } = readSafetensors(larger.subarray(3, 3 + file.length));
    larger.fill(255);
    expectGolden(state, 'plain.safetensors', false);
  });

  it('names a file and what is wrong with it', () => {
    expect(refusal(new Uint8Array(5))).toContain('is truncated');
    expect(refusal(header('{}').subarray(0, 9))).toContain('is truncated: the header ends at byte 10, the file at 9');
    const huge = header('{}');
    huge.fill(255, 0, 8);
    expect(refusal(huge)).toContain('announces a header of 18446744073709551615 bytes');
    for (const text of ['{', '[]', 'null', ' {}', '{"a"}', '{"a":1,}', '\ufeff{}']) {
      expect(refusal(header(text)), text).toContain('is damaged: its safetensors header');
    }
    const invalid = header('{"__":{}}');
    invalid[10] = 0xff;
    expect(refusal(invalid)).toContain('UTF-8');
    expect(refusal(header('{"__metadata__":{"a":1}}'))).toContain('not a map from strings to strings');
    expect(refusal(header('{"a":3}'))).toContain("tensor 'a' is not described by");
  });

  it('refuses duplicate names, however they are spelt', () => {
    const info = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
    expect(refusal(header(`{"a":${info},"\\u0061" :${info}}`))).toContain("names 'a' twice");
    expect(refusal(header(`{"__metadata__":{"x":"\\\\","x":"\\""}}`))).toContain("names 'x' twice");
    expect(refusal(header(`{"a":${info},"b":${info},"__metadata__":{"a":"b","b":"a"}}`))).toBe('read without error');
  });

  it('refuses a tensor whose description does not add up', () => {
    const cases: [members: string, dataBytes: number, message: string][] = [
      ['"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]', 1, "has a dtype 'F8_E4M3'; readable are F64"],
      ['"dtype":{"toString":1},"shape":[1],"data_offsets":[0,1]', 1, 'has a dtype that is no string'],
      ['"dtype":"F32","shape":[-1],"data_offsets":[0,4]', 4, 'not a list of non-negative integers'],
      ['"dtype":"F32","shape":[1.5],"data_offsets":[0,6]', 6, 'not a list of non-negative integers'],
      ['"dtype":"F32","shape":[1e400],"data_offsets":[0,4]', 4, 'not a list of non-negative integers'],
      ['"dtype":"F32","shape":"1","data_offsets":[0,4]', 4, 'not a list of non-negative integers'],
      ['"dtype":"F32","shape":[1]', 4, 'not two non-negative integers'],
      ['"dtype":"F32","shape":[1],"data_offsets":[0,4,4]', 4, 'not two non-negative integers'],
      ['"dtype":"F32","shape":[2],"data_offsets":[0,4]', 4, '[2] of F32, 8 bytes, but data_offsets [0,4] of 4 bytes'],
      ['"dtype":"F32","shape":[1],"data_offsets":[4,0]', 4, 'of -4 bytes'],
      ['"dtype":"U8","shape":[9007199254740991,9007199254740991],"data_offsets":[0,4]', 4, 'but data_offsets'],
      ['"dtype":"F32","shape":[1],"data_offsets":[0,4]', 3, "is truncated: tensor 'a' ends at data byte 4"],
      ['"dtype":"F32","shape":[1],"data_offsets":[4,8]', 8, "'a' leaves a hole before it: it begins at 4, expected 0"],
      ['"dtype":"F32","shape":[1],"data_offsets":[0,4]', 5, 'holds 1 bytes after its last tensor'],
    ];
    for (const [members, bytes, message] of cases) expect(refusal(header(tensor(members), bytes))).toContain(message);
    const overlap =
      '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}';
    expect(refusal(header(overlap, 3))).toContain("'b' overlaps the tensor before it");
    expect(refusal(header('{}', 1))).toContain('holds 1 bytes after its last tensor');
  });

  it('gives its own error for every truncation and for random damage', () => {
    const file = golden('plain.safetensors');
    for (const part of truncations(file, file.length)) expect(refusal(part)).not.toBe('read without error');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: file.length - 1 }), fc.nat({ max: 255 })), { minLength: 1 }),
        (flips) => {
          const damaged = file.slice();
          for (const [at, value] of flips) damaged[at] = value;
          refusal(damaged);
        },
      ),
      { seed: 2, numRuns: 2000 },
    );
  });
});

describe('writing safetensors', () => {
  it('reads back what it wrote, for any state and metadata', () => {
    fc.assert(
      fc.property(states, metadatas, (state, metadata) => {
        const back = readSafetensors(writeSafetensors(state, metadata));
        expect(sorted(back.state)).toEqual(sorted(state));
        expect(Object.entries(back.metadata).sort()).toEqual(Object.entries(metadata).sort());
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('writes the same bytes for any insertion order, with every tensor aligned to its element', () => {
    fc.assert(
      fc.property(states, metadatas, (state, metadata) => {
        const bytes = writeSafetensors(state, metadata);
        const reversed = Object.fromEntries(Object.entries(metadata).reverse());
        expect(writeSafetensors(new Map([...state].reverse()), reversed)).toEqual(bytes);
        const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
        expect(headerBytes % 8).toBe(0);
        let at = 8 + headerBytes;
        for (const { data } of readSafetensors(bytes).state.values()) {
          expect(at % data.BYTES_PER_ELEMENT).toBe(0);
          at += data.byteLength;
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it('writes byte for byte what the Python package writes', () => {
    const file = golden('plain.safetensors');
    const { state, metadata } = readSafetensors(file);
    expect(writeSafetensors(state, metadata)).toEqual(file);
  });

  it('writes arrays that are windows on larger buffers', () => {
    const data = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
    const back = readSafetensors(writeSafetensors(new Map([['w', stateEntry([2], data)]])));
    expect([...back.state.get('w')!.data]).toEqual([1, 2]);
  });

  it('refuses what cannot be read back', () => {
    const write = (name: string, entry: StateEntry) => () => writeSafetensors(new Map([[name, entry]]), {}, 'out');
    const good = stateEntry([1], Float32Array.of(1));
    expect(write('__metadata__', good)).toThrow("out: cannot be written: tensor '__metadata__' has a name");
    expect(write('a\ud800', good)).toThrow('half a surrogate pair');
    expect(write('a', { ...good, shape: [2] })).toThrow("tensor 'a' has shape [2], 2 values, but 1 values of data");
    expect(write('a', { ...good, dtype: 'i32' })).toThrow('has dtype i32 but its data is no Int32Array');
    expect(write('a', { ...good, dtype: 'f16' as 'f32' })).toThrow("has dtype 'f16'");
    expect(() => writeSafetensors(new Map(), { '\udc00': '' })).toThrow(WeightFileError);
  });
});
