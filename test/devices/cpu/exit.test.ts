/** A program ends when its work is done: with `close()`, without it, and not before a read has come back. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleOptions } from '../../../build.mjs';

const root = join(import.meta.dirname, '../../..');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(root, 'build/exit-'));
});
afterAll(() => rm(folder, { recursive: true }));

const PROGRAM = `
import { createCpuDevice } from './src/devices/cpu/node.ts';
import { fill } from './src/kernels/copy.ts';
const device = await createCpuDevice({ threads: 2 });
const buffer = device.allocate('f32', 4_000_000);
const range = { buffer, offset: 0, length: buffer.length };
for (let i = 0; i < 200; i++) {
  device.launch({ kernel: fill, constants: {}, params: { count: buffer.length, value: i }, buffers: { out: range } });
}
`;

/** Runs a program and returns what it printed, once it has ended by itself. */
async function run(name: string, source: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  await build({ ...bundleOptions, stdin: { contents: source, resolveDir: root, loader: 'ts' }, outfile });
  const child = spawn(process.execPath, [outfile], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.on('data', (data) => {
    printed += data;
  });
  const code = await new Promise((resolve) => child.on('exit', (exitCode, signal) => resolve(signal ?? exitCode)));
  expect(code).toBe(0);
  return printed;
}

test('after a read, without close', async () => {
  const source = `${PROGRAM} console.log((await device.read(range))[3_999_999]);`;
  expect(await run('read', source)).toBe('199\n');
});

test('after close', async () => {
  const source = `${PROGRAM} await device.synchronize(); device.close(); console.log('closed');`;
  expect(await run('close', source)).toBe('closed\n');
});

test('with nothing read, without close', async () => {
  expect(await run('forgotten', `${PROGRAM} console.log('end');`)).toBe('end\n');
});
