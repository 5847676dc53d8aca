/**
 * Prints the name of the adapter that Dawn finds, and exits 1 where there is none. It is a program of its own because Dawn looks for
 * drivers once per process: what has just been installed is seen by a new one.
 */
import { create } from 'webgpu';

const gpu = create([]);
const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
const name = adapter && [adapter.info.description, adapter.info.device].filter(Boolean).join(', ');
if (!name || /null[- ]backend/i.test(name)) process.exit(1);
process.stdout.write(`${name}\n`);
