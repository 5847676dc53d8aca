/**
 * The records of a zip archive whose entries are stored without compression, as PyTorch writes them, with zip64.
 * Layout (PKWARE APPNOTE 4.3): local headers and data, central directory, [zip64 end, its locator,] end record.
 */
import { quote, WeightFileError } from '../errors.ts';

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const END64_LOCATOR_SIGNATURE = 0x07064b50;
const END64_LOCATOR_BYTES = 20;
const END64_SIGNATURE = 0x06064b50;
const END64_BYTES = 56;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
/** A 32-bit field with this value is continued in the zip64 extra field. */
const CONTINUED = 0xffffffff;
const ZIP64_EXTRA = 1;

/** Little-endian numbers of a file; a read outside it is a WeightFileError. */
class Fields {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #source: string;

  constructor(bytes: Uint8Array, source: string) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#source = source;
  }

  fail(problem: string): never {
    throw new WeightFileError(this.#source, problem);
  }

  /** The `length` bytes at `at`, not copied. */
  slice(at: number, length: number): Uint8Array {
    this.#need(at, length);
    return this.bytes.subarray(at, at + length);
  }

  u16(at: number): number {
    this.#need(at, 2);
    return this.#view.getUint16(at, true);
  }

  u32(at: number): number {
    this.#need(at, 4);
    return this.#view.getUint32(at, true);
  }

  u64(at: number): number {
    this.#need(at, 8);
    // Rounded above 2⁵³, where no file reaches: the bounds check that follows refuses it all the same.
    return Number(this.#view.getBigUint64(at, true));
  }

  #need(at: number, length: number): void {
    if (at < 0 || at + length > this.bytes.length) {
      this.fail(
        `is truncated or damaged: its zip directory points to bytes ${at} to ${at + length} of ${this.bytes.length}.`,
      );
    }
  }
}

interface Directory {
  readonly entries: number;
  readonly offset: number;
}

function findDirectory(file: Fields): Directory {
  const last = file.bytes.length - END_BYTES;
  for (let at = last; at >= Math.max(0, last - LONGEST_COMMENT); at--) {
    if (file.u32(at) !== END_SIGNATURE || at + END_BYTES + file.u16(at + 20) !== file.bytes.length) continue;
    const locator = at - END64_LOCATOR_BYTES;
    if (locator < 0 || file.u32(locator) !== END64_LOCATOR_SIGNATURE) {
      return { entries: file.u16(at + 10), offset: file.u32(at + 16) };
    }
    const end64 = file.u64(locator + 8);
    file.slice(end64, END64_BYTES);
    if (file.u32(end64) !== END64_SIGNATURE) file.fail('is damaged: its zip64 end record is not where it should be.');
    return { entries: file.u64(end64 + 32), offset: file.u64(end64 + 48) };
  }
  return file.fail('is truncated: it starts as a zip archive but the archive has no end record.');
}

/** The 64-bit values of an entry's zip64 extra field; they stand there in order, only for the fields that are continued. */
function zip64Values(file: Fields, extraAt: number, extraBytes: number): number[] {
  for (let at = extraAt; at + 4 <= extraAt + extraBytes; at += 4 + file.u16(at + 2)) {
    if (file.u16(at) !== ZIP64_EXTRA) continue;
    return Array.from({ length: Math.floor(file.u16(at + 2) / 8) }, (_, i) => file.u64(at + 4 + 8 * i));
  }
  return [];
}

interface Entry {
  readonly name: string;
  readonly flags: number;
  /** 0 is stored. */
  readonly method: number;
  readonly storedSize: number;
  readonly size: number;
  /** Where its local header begins. */
  readonly local: number;
  /** Where the next entry of the directory begins. */
  readonly next: number;
}

function readEntry(file: Fields, at: number): Entry {
  if (file.u32(at) !== ENTRY_SIGNATURE) file.fail('is damaged: its zip directory is not where it should be.');
  const nameBytes = file.u16(at + 28);
  const extraBytes = file.u16(at + 30);
  const continued = zip64Values(file, at + ENTRY_BYTES + nameBytes, extraBytes);
  const field = (value: number): number => (value === CONTINUED ? (continued.shift() ?? value) : value);
  const size = field(file.u32(at + 24));
  const storedSize = field(file.u32(at + 20));
  return {
    name: new TextDecoder().decode(file.slice(at + ENTRY_BYTES, nameBytes)),
    flags: file.u16(at + 8),
    method: file.u16(at + 10),
    size,
    storedSize,
    local: field(file.u32(at + 42)),
    next: at + ENTRY_BYTES + nameBytes + extraBytes + file.u16(at + 32),
  };
}

/** A zip archive by its directory; problems are WeightFileErrors. */
export class StoredZip {
  readonly #file: Fields;
  readonly #entries = new Map<string, Entry>();

  constructor(bytes: Uint8Array, source: string) {
    this.#file = new Fields(bytes, source);
    const directory = findDirectory(this.#file);
    let at = directory.offset;
    for (let i = 0; i < directory.entries; i++) {
      const entry = readEntry(this.#file, at);
      if (this.#entries.has(entry.name)) this.#file.fail(`holds the zip record ${quote(entry.name)} twice.`);
      this.#entries.set(entry.name, entry);
      at = entry.next;
    }
  }

  get names(): Iterable<string> {
    return this.#entries.keys();
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** The bytes of a record, a view and not a copy; null when there is none of that name. */
  read(name: string): Uint8Array | null {
    const entry = this.#entries.get(name);
    if (entry === undefined) return null;
    const { flags, method, storedSize, size, local } = entry;
    const file = this.#file;
    const record = `zip record ${quote(name)}`;
    if ((flags & 1) !== 0) file.fail(`is encrypted: ${record}.`);
    if (method !== 0) {
      file.fail(`holds the compressed ${record}; PyTorch stores records as they are. Save it with torch.save.`);
    }
    if (size !== storedSize) file.fail(`is damaged: ${record} has two sizes, ${size} and ${storedSize}.`);
    if (file.u32(local) !== LOCAL_SIGNATURE) file.fail(`is damaged: ${record} has no header.`);
    return file.slice(local + LOCAL_BYTES + file.u16(local + 26) + file.u16(local + 28), size);
  }
}
