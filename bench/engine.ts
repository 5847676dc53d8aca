/**
 * Imported before anything compiles WebAssembly: the engine goes straight to its optimising compiler. Otherwise it starts with
 * simple code, ten times slower, and swaps it in its own time, which on a busy machine can be seconds later.
 */
import { setFlagsFromString } from 'node:v8';

export const ENGINE_FLAGS = ['--no-liftoff'];

for (const flag of ENGINE_FLAGS) setFlagsFromString(flag);
