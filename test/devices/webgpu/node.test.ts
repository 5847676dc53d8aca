/** WebGPU in Node: the optional package, and a process that ends by itself. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterEach, expect, it, vi } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

afterEach(() => {
  vi.doUnmock('webgpu');
  vi.resetModules();
});

it('names the package that is missing and the command that installs it', async () => {
  vi.doMock('webgpu', () => {
    throw new Error('no such package');
  });
  vi.resetModules();
  const { nodeGpu } = await import('../../../src/devices/webgpu/node.ts');
  await expect(nodeGpu()).rejects.toThrow(/optional package 'webgpu' \(Dawn\): npm install webgpu/);
});

/** Runs a program that may import from `src/`, as a process of its own, and resolves to what it did. */
async function run(program: string): Promise<{ code: number | null; signal: string | null; output: string }> {
  const bundle = await build({
    stdin: { contents: program, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    external: ['webgpu'],
    loader: { '.wgsl': 'text', '.wasm': 'binary' },
  });
  const node = spawn(process.execPath, ['--input-type=module'], { cwd: ROOT, timeout: 30_000 });
  let output = '';
  node.stdout.on('data', (data) => {
    output += data;
  });
  node.stdin.end(bundle.outputFiles[0]!.text);
  return new Promise((resolve) => {
    node.on('exit', (code, signal) => resolve({ code, signal, output }));
  });
}

const OPEN = `
  import { requestNodeWebGpuDevice } from './src/devices/webgpu/node.ts';
  import { fill } from './src/kernels/copy.ts';
  const device = await requestNodeWebGpuDevice();
  const out = device.allocate('f32', 64);
  const all = { buffer: out, offset: 0, length: 64 };
  device.launch({ kernel: fill, constants: {}, params: { count: 64, value: 5 }, buffers: { out: all } });
`;

it.each([
  ['work that was read, without close()', 'console.log((await device.read(all))[63]);', '5\n'],
  ['work that was read, with close()', 'console.log((await device.read(all))[63]); device.close();', '5\n'],
  ['work that nobody waits for', '', ''],
])('Node exits by itself after %s', async (_what, rest, output) => {
  expect(await run(OPEN + rest)).toEqual({ code: 0, signal: null, output });
});
