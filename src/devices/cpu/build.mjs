/** Compiles the CPU device's WebAssembly module: src/devices/cpu/wasm → build/cpu.wasm. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** @param {string} outFile relative to the repository's root */
export async function buildCpuModule(outFile = 'build/cpu.wasm') {
  mkdirSync(new URL('../../../build', import.meta.url), { recursive: true });
  const { error, stderr } = await asc.main([
    'src/devices/cpu/wasm/index.ts',
    ...[
      '--baseDir',
      root,
      '--outFile',
      outFile,
      '-O3',
      '--noAssert',
      '--runtime',
      'stub',
      '--use',
      'abort=',
      '--disableWarning',
      'AS112',
    ],
    ...['--enable', 'simd,threads,bulk-memory', '--importMemory', '--sharedMemory'],
    ...['--initialMemory', '1', '--maximumMemory', '65536', '--memoryBase', '32768'],
  ]);
  if (error) throw new Error(`The CPU device's WebAssembly module does not compile:\n${stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildCpuModule();
