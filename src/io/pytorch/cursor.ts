import { WeightFileError } from '../errors.ts';

/** Reads a pickle byte by byte; a read past its end is a WeightFileError. */
export class Cursor {
  readonly bytes: Uint8Array;
  readonly source: string;
  position: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, source: string) {
    this.bytes = bytes;
    this.source = source;
    this.position = 0;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(problem: string): never {
    throw new WeightFileError(this.source, `${problem} (at byte ${this.position} of the ${this.bytes.length} read).`);
  }

  /** The next `length` bytes, not copied. */
  take(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.bytes.subarray(start, start + length);
  }

  u8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  i32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** Rounded above 2⁵³, which no length in a readable file reaches. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  /** Pickle's one big-endian field. */
  f64BigEndian(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** Text up to the next line feed, which is consumed but not returned. */
  line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) this.fail('is truncated: a line of its pickle has no end');
    const text = this.utf8(end - this.position);
    this.position = end + 1;
    return text;
  }

  utf8(length: number): string {
    const bytes = this.take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return this.fail('is damaged: a string of its pickle is not UTF-8');
    }
  }

  /** Strings of Python 2, one byte a character. */
  latin1(length: number): string {
    const bytes = this.take(length);
    let text = '';
    for (const byte of bytes) text += String.fromCharCode(byte);
    return text;
  }

  #advance(length: number): number {
    const start = this.position;
    if (length > this.bytes.length - start) {
      this.fail(`is truncated or damaged: ${length} more bytes are needed, ${this.bytes.length - start} are left`);
    }
    this.position = start + length;
    return start;
  }
}
