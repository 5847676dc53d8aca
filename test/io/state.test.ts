import { describe, expect, it } from 'vitest';
import { decodeElements } from '../../src/io/elements.ts';
import { quote } from '../../src/io/errors.ts';
import { countOf, stateEntry, stripPrefix, toFloat32 } from '../../src/io/index.ts';

describe('state entries', () => {
  it('takes the dtype from the array and refuses what does not agree', () => {
    expect(stateEntry([2, 1], Float32Array.of(1, 2)).dtype).toBe('f32');
    expect(stateEntry([], BigInt64Array.of(1n)).dtype).toBe('i64');
    expect(stateEntry([1], Uint8Array.of(1)).dtype).toBe('u8');
    expect(stateEntry([1], Uint8Array.of(1), 'bool').dtype).toBe('bool');
    expect(() => stateEntry([3], Float32Array.of(1, 2))).toThrow('has shape [3], 3 values, but 2 values of data');
    expect(() => stateEntry([1], Float32Array.of(1), 'f64')).toThrow('has dtype f64 but its data is no Float64Array');
    expect(() => stateEntry([-1, -1], Float32Array.of(1))).toThrow('impossible shape [-1, -1]');
    expect([countOf([]), countOf([2, 3]), countOf([2, 0])]).toEqual([1, 6, 0]);
  });

  it('rounds float64 to float32 and refuses integers by name', () => {
    expect(toFloat32(stateEntry([1], Float64Array.of(0.1)), 'w')[0]).toBe(Math.fround(0.1));
    const data = Float32Array.of(1);
    expect(toFloat32(stateEntry([1], data), 'w')).toBe(data);
    expect(() => toFloat32(stateEntry([1], Int32Array.of(1)), 'steps')).toThrow("'steps' holds i32 values");
  });

  it('strips a prefix only when every name has it', () => {
    const entry = stateEntry([], Float32Array.of(1));
    const all = new Map([
      ['module.a', entry],
      ['module.b', entry],
    ]);
    expect([...stripPrefix(all, 'module.').keys()]).toEqual(['a', 'b']);
    expect(stripPrefix(new Map([...all, ['c', entry]]), 'module.').has('module.a')).toBe(true);
    expect([...stripPrefix(new Map([['module.', entry]]), 'module.').keys()]).toEqual(['module.']);
  });
});

describe('half-precision decoding', () => {
  it('is exact for every float16 bit pattern', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = decodeElements('f16', new Uint8Array(all.buffer)) as Float32Array;
    const wanted = Float32Array.from(all, (half) => {
      const exponent = (half >> 10) & 31;
      const fraction = half & 1023;
      const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
      return (half >> 15 ? -1 : 1) * (exponent < 31 ? magnitude : fraction === 0 ? Infinity : NaN);
    });
    // By bits, for the sign of zero; a NaN keeps its sign and payload, which are checked apart.
    const isNumber = (_: number, half: number): boolean => !Number.isNaN(wanted[half]);
    const bits = new Uint32Array(values.buffer);
    expect(bits.filter(isNumber)).toEqual(new Uint32Array(wanted.buffer).filter(isNumber));
    const nans = all.filter((half, i) => !isNumber(half, i));
    expect(nans.length).toBe(2 * 1023);
    expect(Uint32Array.from(nans, (half) => bits[half]!)).toEqual(
      Uint32Array.from(nans, (half) => (half >> 15) * 2 ** 31 + 0x7f800000 + (half & 1023) * 2 ** 13),
    );
  });

  it('is exact for every bfloat16 bit pattern', () => {
    const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const values = decodeElements('bf16', new Uint8Array(all.buffer)) as Float32Array;
    expect(new Uint32Array(values.buffer)).toEqual(Uint32Array.from(all, (half) => half * 65536));
  });

  it('reads from any alignment', () => {
    const bytes = new Uint8Array(13);
    bytes.set(new Uint8Array(Float64Array.of(Math.PI).buffer), 3);
    expect([...decodeElements('f64', bytes.subarray(3, 11))]).toEqual([Math.PI]);
  });
});

describe('names in messages', () => {
  it('keeps them in one line and of bounded length', () => {
    expect(quote('a\nb\u0085\u2028"\\')).toBe("'a\\nb\\u0085\\u2028\"\\'");
    expect(quote('x'.repeat(1000)).length).toBeLessThan(130);
  });
});
