/**
 * The element types of weight files and how their little-endian bytes become arrays.
 *
 * Every conversion is exact: a value that is read equals the value that is stored. Hosts are taken to be little-endian,
 * as every host of WebGPU and WebAssembly is.
 */
import type { StateData, StateDtype } from './state.ts';

interface ElementSpec {
  /** Size of one value in the file, in bytes. */
  readonly bytes: number;
  /** How the values are held in a state dict, which may be wider. */
  readonly heldAs: StateDtype;
  /** Size of one held value, in bytes. */
  readonly heldBytes: number;
  /** `bytes` is a fresh, aligned copy of the values that the result may keep. */
  readonly decode: (bytes: Uint8Array<ArrayBuffer>) => StateData;
}

/**
 * float16 (1 sign, 5 exponent, 10 fraction bits) to float32 (1, 8, 23) by bits, NaN payloads kept:
 * normal numbers move the exponent from bias 15 to bias 127; a subnormal is fraction · 2⁻²⁴.
 */
function widenFloat16(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const exponent = (half >> 10) & 0x1f;
    const fraction = half & 0x3ff;
    if (exponent === 0) {
      values[i] = fraction * 2 ** -24;
      bits[i]! |= (half & 0x8000) << 16;
    } else {
      const widened = exponent === 0x1f ? 0xff : exponent - 15 + 127;
      bits[i] = ((half & 0x8000) << 16) | (widened << 23) | (fraction << 13);
    }
  }
  return values;
}

/** bfloat16 is the upper half of a float32. */
function widenBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** Element types as files store them. */
export const ELEMENTS = {
  f64: { bytes: 8, heldAs: 'f64', heldBytes: 8, decode: (b) => new Float64Array(b.buffer) },
  f32: { bytes: 4, heldAs: 'f32', heldBytes: 4, decode: (b) => new Float32Array(b.buffer) },
  f16: { bytes: 2, heldAs: 'f32', heldBytes: 4, decode: (b) => widenFloat16(new Uint16Array(b.buffer)) },
  bf16: { bytes: 2, heldAs: 'f32', heldBytes: 4, decode: (b) => widenBfloat16(new Uint16Array(b.buffer)) },
  i64: { bytes: 8, heldAs: 'i64', heldBytes: 8, decode: (b) => new BigInt64Array(b.buffer) },
  i32: { bytes: 4, heldAs: 'i32', heldBytes: 4, decode: (b) => new Int32Array(b.buffer) },
  i16: { bytes: 2, heldAs: 'i32', heldBytes: 4, decode: (b) => Int32Array.from(new Int16Array(b.buffer)) },
  i8: { bytes: 1, heldAs: 'i32', heldBytes: 4, decode: (b) => Int32Array.from(new Int8Array(b.buffer)) },
  u32: {
    bytes: 4,
    heldAs: 'i64',
    heldBytes: 8,
    decode: (b) => BigInt64Array.from(new Uint32Array(b.buffer) as Iterable<number>, BigInt),
  },
  u16: { bytes: 2, heldAs: 'i32', heldBytes: 4, decode: (b) => Int32Array.from(new Uint16Array(b.buffer)) },
  u8: { bytes: 1, heldAs: 'u8', heldBytes: 1, decode: (b) => b },
  bool: { bytes: 1, heldAs: 'bool', heldBytes: 1, decode: (b) => b },
} satisfies Record<string, ElementSpec>;

export type FileElement = keyof typeof ELEMENTS;

/** Decodes little-endian bytes, a whole number of values at any alignment; the result owns its memory. */
export function decodeElements(element: FileElement, bytes: Uint8Array): StateData {
  // new Uint8Array(view) copies; Buffer.prototype.slice would not.
  return ELEMENTS[element].decode(new Uint8Array(bytes));
}
