/**
 * A restricted reader of Python pickles: a stack machine whose only way to the outside are the host's two functions, so
 * that nothing is ever imported or executed.
 *
 * Python → JavaScript: None → null; int → number, or bigint where a number is not exact; str → string; bytes →
 * Uint8Array; list, tuple → array; dict → Map; set → Set; an object of an allowed class → Map of its attributes. Opcodes of protocols 1 to 5 (Lib/pickletools.py) that PyTorch
 * writes; text forms of protocol 0 only where protocol 1 uses them.
 */
import type { Cursor } from './cursor.ts';

/** An object of a class that is only a bag of attributes: what BUILD gives it, by name. */
export class Attributes extends Map<unknown, unknown> {}

/** A name that a pickle may call. */
export class PickleCallable {
  readonly name: string;
  /** `label` is the dictionary key that the result will stand under, where that is known: for messages. */
  readonly call: (args: readonly unknown[], label: string | undefined) => unknown;

  constructor(name: string, call: PickleCallable['call']) {
    this.name = name;
    this.call = call;
  }
}

export interface PickleHost {
  /** What `module.name` stands for; throws for what is not allowed. */
  resolve(module: string, name: string): unknown;
  /** What is stored outside of the pickle under `id`. */
  load(id: unknown): unknown;
}

/** Far above the pickle of any model (about 30 operations a tensor); they bound the memory that a hostile file can take. */
const MOST_OPERATIONS = 4_000_000;
const MOST_CONTAINERS = 1_000_000;
const LONGEST_INTEGER_BYTES = 1024;

class Machine {
  readonly input: Cursor;
  readonly host: PickleHost;
  readonly stack: unknown[] = [];
  readonly memo = new Map<number, unknown>();
  readonly #marks: number[] = [];
  #containers = 0;

  constructor(input: Cursor, host: PickleHost) {
    this.input = input;
    this.host = host;
  }

  fail(problem: string): never {
    return this.input.fail(`is damaged: ${problem}`);
  }

  push(value: unknown): void {
    this.stack.push(value);
  }

  /** Pushes a new array, Map or Set, or what a call made. */
  pushContainer(value: unknown): void {
    if (++this.#containers > MOST_CONTAINERS) {
      this.fail(`its pickle makes more than ${MOST_CONTAINERS} lists and dictionaries; no weight file needs that`);
    }
    this.stack.push(value);
  }

  pop(): unknown {
    if (this.stack.length <= (this.#marks.at(-1) ?? 0)) this.fail('its pickle takes a value that is not there');
    return this.stack.pop();
  }

  top(): unknown {
    if (this.stack.length <= (this.#marks.at(-1) ?? 0)) this.fail('its pickle uses a value that is not there');
    return this.stack.at(-1);
  }

  mark(): void {
    this.#marks.push(this.stack.length);
  }

  popToMark(): unknown[] {
    const start = this.#marks.pop();
    if (start === undefined) this.fail('its pickle closes a group that it never opened');
    return this.stack.splice(start);
  }

  /** The value that the pickle leaves. */
  result(): unknown {
    if (this.#marks.length > 0 || this.stack.length !== 1) this.fail('its pickle does not end in exactly one value');
    return this.stack[0];
  }

  tuple(length: number): void {
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.unshift(this.pop());
    this.pushContainer(items);
  }

  remember(index: number): void {
    this.memo.set(index, this.top());
  }

  recall(index: number): void {
    if (!this.memo.has(index)) this.fail(`its pickle refers to value ${index}, which it never stored`);
    this.push(this.memo.get(index));
  }

  append(items: readonly unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) this.fail('its pickle appends to what is no list');
    for (const item of items) list.push(item);
  }

  add(items: readonly unknown[]): void {
    const set = this.top();
    if (!(set instanceof Set)) this.fail('its pickle adds to what is no set');
    for (const item of items) set.add(item);
  }

  setItems(pairs: readonly unknown[]): void {
    const dictionary = this.top();
    if (!(dictionary instanceof Map)) this.fail('its pickle sets an item of what is no dictionary');
    if (pairs.length % 2 !== 0) this.fail('its pickle sets a dictionary key without a value');
    for (let i = 0; i < pairs.length; i += 2) dictionary.set(pairs[i], pairs[i + 1]);
  }

  call(): void {
    const args = this.pop();
    const callee = this.pop();
    if (!(callee instanceof PickleCallable)) this.fail('its pickle calls what is no allowed function');
    if (!Array.isArray(args)) this.fail(`its pickle calls '${callee.name}' without a tuple of arguments`);
    const below = this.stack.at(-1);
    this.pushContainer(callee.call(args, typeof below === 'string' ? below : undefined));
  }

  /** `object.__setstate__`. Attributes of dictionaries, such as the `_metadata` of a state dict, are dropped; no other object is built. */
  build(): void {
    const state = this.pop();
    const target = this.top();
    if (!(target instanceof Map) || !(state instanceof Map))
      this.fail('its pickle sets attributes of what is no dictionary');
    if (target instanceof Attributes) for (const [name, value] of state) target.set(name, value);
  }

  resolve(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string') this.fail('its pickle imports what is no name');
    this.push(this.host.resolve(module, name));
  }

  /** Protocol 0's way to make objects: no allowed class is made so, but a refusal must still name the class. */
  instance(module: string, name: string): never {
    this.resolve(module, name);
    return this.fail('its pickle makes an object in a way that PyTorch never writes');
  }
}

function exactInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** Little-endian two's complement. */
function readLong(machine: Machine, length: number): number | bigint {
  if (length > LONGEST_INTEGER_BYTES) machine.fail(`its pickle holds an integer of ${length} bytes`);
  const bytes = machine.input.take(length);
  let value = 0n;
  for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return exactInteger(length > 0 ? BigInt.asIntN(8 * length, value) : 0n);
}

function readDecimal(machine: Machine): number | bigint | boolean {
  const text = machine.input.line();
  if (text === '00' || text === '01') return text === '01';
  if (!/^-?\d{1,1000}L?$/.test(text)) machine.fail('its pickle holds an integer that is none');
  return exactInteger(BigInt(text.replace('L', '')));
}

function bytesCopy(machine: Machine, length: number): Uint8Array {
  return new Uint8Array(machine.input.take(length));
}

const OPCODES = new Map<number, (machine: Machine) => void>([
  [0x80, (m) => m.input.u8() > 5 && m.fail('its pickle is of a protocol above 5')], // PROTO
  [0x95, (m) => m.input.u64()], // FRAME: a hint for buffering
  // Constants and numbers
  [0x4e, (m) => m.push(null)], // NONE
  [0x88, (m) => m.push(true)], // NEWTRUE
  [0x89, (m) => m.push(false)], // NEWFALSE
  [0x49, (m) => m.push(readDecimal(m))], // INT
  [0x4c, (m) => m.push(readDecimal(m))], // LONG
  [0x4a, (m) => m.push(m.input.i32())], // BININT
  [0x4b, (m) => m.push(m.input.u8())], // BININT1
  [0x4d, (m) => m.push(m.input.u16())], // BININT2
  [0x8a, (m) => m.push(readLong(m, m.input.u8()))], // LONG1
  [0x8b, (m) => m.push(readLong(m, m.input.u32()))], // LONG4
  [0x47, (m) => m.push(m.input.f64BigEndian())], // BINFLOAT
  // Strings and bytes
  [0x58, (m) => m.push(m.input.utf8(m.input.u32()))], // BINUNICODE
  [0x8c, (m) => m.push(m.input.utf8(m.input.u8()))], // SHORT_BINUNICODE
  [0x8d, (m) => m.push(m.input.utf8(m.input.u64()))], // BINUNICODE8
  [0x54, (m) => m.push(m.input.latin1(m.input.u32()))], // BINSTRING
  [0x55, (m) => m.push(m.input.latin1(m.input.u8()))], // SHORT_BINSTRING
  [0x42, (m) => m.push(bytesCopy(m, m.input.u32()))], // BINBYTES
  [0x43, (m) => m.push(bytesCopy(m, m.input.u8()))], // SHORT_BINBYTES
  [0x8e, (m) => m.push(bytesCopy(m, m.input.u64()))], // BINBYTES8
  [0x96, (m) => m.push(bytesCopy(m, m.input.u64()))], // BYTEARRAY8
  // Containers
  [0x28, (m) => m.mark()], // MARK
  [0x29, (m) => m.tuple(0)], // EMPTY_TUPLE
  [0x85, (m) => m.tuple(1)], // TUPLE1
  [0x86, (m) => m.tuple(2)], // TUPLE2
  [0x87, (m) => m.tuple(3)], // TUPLE3
  [0x74, (m) => m.pushContainer(m.popToMark())], // TUPLE
  [0x5d, (m) => m.pushContainer([])], // EMPTY_LIST
  [0x61, (m) => m.append([m.pop()])], // APPEND
  [0x65, (m) => m.append(m.popToMark())], // APPENDS
  [0x7d, (m) => m.pushContainer(new Map())], // EMPTY_DICT
  [0x73, (m) => m.setItems([m.pop(), m.pop()].reverse())], // SETITEM
  [0x75, (m) => m.setItems(m.popToMark())], // SETITEMS
  [0x8f, (m) => m.pushContainer(new Set())], // EMPTY_SET
  [0x90, (m) => m.add(m.popToMark())], // ADDITEMS
  [0x91, (m) => m.pushContainer(new Set(m.popToMark()))], // FROZENSET
  // Stack and memo
  [0x30, (m) => m.pop()], // POP
  [0x31, (m) => m.popToMark()], // POP_MARK
  [0x32, (m) => m.push(m.top())], // DUP
  [0x71, (m) => m.remember(m.input.u8())], // BINPUT
  [0x72, (m) => m.remember(m.input.u32())], // LONG_BINPUT
  [0x94, (m) => m.remember(m.memo.size)], // MEMOIZE
  [0x68, (m) => m.recall(m.input.u8())], // BINGET
  [0x6a, (m) => m.recall(m.input.u32())], // LONG_BINGET
  // The host
  [0x63, (m) => m.resolve(m.input.line(), m.input.line())], // GLOBAL
  [0x93, (m) => m.resolve(...([m.pop(), m.pop()].reverse() as [unknown, unknown]))], // STACK_GLOBAL
  [0x69, (m) => m.instance(m.input.line(), m.input.line())], // INST
  [0x51, (m) => m.push(m.host.load(m.pop()))], // BINPERSID
  [0x52, (m) => m.call()], // REDUCE
  [0x81, (m) => m.call()], // NEWOBJ
  [0x62, (m) => m.build()], // BUILD
]);

const STOP = 0x2e;

/**
 * Reads the pickle at the cursor and leaves the cursor after it.
 *
 * @throws WeightFileError for what is damaged, what no weight file needs, and whatever the host refuses.
 */
export function unpickle(input: Cursor, host: PickleHost): unknown {
  const machine = new Machine(input, host);
  for (let operations = 0; operations < MOST_OPERATIONS; operations++) {
    const opcode = input.u8();
    if (opcode === STOP) return machine.result();
    const operation = OPCODES.get(opcode);
    if (operation === undefined) {
      return machine.fail(
        `its pickle holds the opcode 0x${opcode.toString(16).padStart(2, '0')}, which PyTorch never writes`,
      );
    }
    operation(machine);
  }
  return machine.fail(`its pickle is longer than ${MOST_OPERATIONS} operations; no weight file needs that`);
}
