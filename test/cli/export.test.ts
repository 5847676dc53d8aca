import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readSafetensors } from '../../src/io/index.ts';
import { marsgrad, Workspace } from './command.ts';

const workspace = new Workspace();
let run: string;
let images: string;
let server: Server;

beforeAll(async () => {
  vi.stubEnv('MARSGRAD_CACHE', workspace.path('cache'));
  images = await workspace.images('colours', ['red', 'green'], { train: 4, test: 2 });
  run = workspace.path('run');
  const options = ['--epochs', '1', '--image-size', '8', '--batch-size', '4', '--device', 'cpu', '--out', run];
  const { code, stderr } = await marsgrad(['train', '--network', 'resnet20', '--dataset', images, ...options]);
  expect(code, stderr).toBe(0);
  server = createServer((_, response) => response.end(readFileSync(`${run}/weights.safetensors`)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  server.close();
  vi.unstubAllEnvs();
  workspace.remove();
});

it('writes the weights of a run, with all that is known of them, and evaluate reads them', async () => {
  const out = workspace.path('exported.safetensors');
  const { code, stderr, records } = await marsgrad(['export', run, '--out', out, '--json']);
  expect(code, stderr).toBe(0);
  expect(records[0]).toMatchObject({ file: out, tensors: readSafetensors(readFileSync(out)).state.size });
  const [exported, original] = [out, `${run}/weights.safetensors`].map((path) => readSafetensors(readFileSync(path)));
  expect(exported!.state).toEqual(original!.state);
  expect(exported!.metadata).toEqual(original!.metadata);
  const args = ['--dataset', images, '--device', 'cpu', '--json'];
  const [one, two] = [
    await marsgrad(['evaluate', '--weights', out, ...args]),
    await marsgrad(['evaluate', '--weights', run, ...args]),
  ];
  expect(one.code, one.stderr).toBe(0);
  expect(one.records).toEqual(two.records);
});

it('does not overwrite unless it is told to, and needs to know where', async () => {
  const out = workspace.path('twice.safetensors');
  const attempt = (...options: string[]) => marsgrad(['export', run, ...options]);
  expect((await attempt('--out', out)).code).toBe(0);
  const second = await attempt('--out', out);
  expect([second.code, second.stderr]).toEqual([
    2,
    expect.stringContaining('exists: choose another --out, or add --force'),
  ]);
  expect((await attempt('--out', out, '--force')).code).toBe(0);
  expect(await attempt()).toMatchObject({ code: 2, stderr: expect.stringContaining('export needs --out') });
});

it('takes weights from an address, once', async () => {
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/resnet20.safetensors`;
  const args = ['evaluate', '--weights', address, '--dataset', images, '--device', 'cpu', '--json'];
  const first = await marsgrad(args);
  expect(first.code, first.stderr).toBe(0);
  expect(first.stderr).toContain('Kept as');
  const second = await marsgrad(args);
  expect(second.records).toEqual(first.records);
  expect(second.stderr).not.toContain('Fetching');
});

it('names what is no weights: a mistyped name of the catalogue, a folder with none', async () => {
  const mistyped = await marsgrad(['export', 'resnet50-imagnet', '--out', workspace.path('x')]);
  expect([mistyped.code, mistyped.stderr]).toEqual([2, expect.stringContaining('Did you mean "resnet50-imagenet"?')]);
  const folder = await marsgrad(['export', images, '--out', workspace.path('x')]);
  expect([folder.code, folder.stderr]).toEqual([2, expect.stringContaining('neither weights.safetensors')]);
});
