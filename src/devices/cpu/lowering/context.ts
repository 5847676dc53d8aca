/**
 * Lowering: how a launch of the contract becomes commands. A lowering works out addresses, block sizes and how many
 * tasks there are, from the shapes alone; the workers' code in `../wasm/` does the rest. Parameters are words in the
 * order of the class that the operation reads them with.
 */
import type { BufferRange, Launch } from '../../device.ts';
import { CHUNK } from '../layout.ts';

export interface CommandSink {
  /** Appends a command of `tasks` tasks; none at all is left out. */
  submit(operation: number, tasks: number, words: readonly number[]): void;
  /** Memory for this launch alone, in bytes. */
  temporary(bytes: number): number;
  /** Threads that may run tasks: each has its own part of a launch's scratch memory. */
  readonly threads: number;
}

export interface LoweredLaunch {
  readonly sink: CommandSink;
  readonly constants: Readonly<Record<string, string | boolean>>;
  /** A scalar parameter. */
  scalar(name: string): number;
  /** A parameter of eight numbers. */
  list(name: string): readonly number[];
  /** Address of a buffer's range, in bytes. */
  address(name: string): number;
}

export type Lowering = (launch: LoweredLaunch) => void;

/** What the device's own buffers look like to a lowering. */
export interface AddressedBuffer {
  readonly address: number;
}

export function loweredLaunch(launch: Launch, sink: CommandSink): LoweredLaunch {
  const params = launch.params as Readonly<Record<string, number | readonly number[]>>;
  return {
    sink,
    constants: launch.constants as Readonly<Record<string, string | boolean>>,
    scalar: (name) => params[name] as number,
    list: (name) => params[name] as readonly number[],
    address: (name) => {
      const range = launch.buffers[name] as BufferRange;
      return (range.buffer as unknown as AddressedBuffer).address + 4 * range.offset;
    },
  };
}

/** Tasks of an elementwise command over `count` elements. */
export const chunks = (count: number): number => Math.ceil(count / CHUNK);

/** How many of `units` to give to a task so that a task treats about `CHUNK` elements. */
export const unitsPerTask = (elementsPerUnit: number): number =>
  Math.max(1, Math.floor(CHUNK / Math.max(1, elementsPerUnit)));
