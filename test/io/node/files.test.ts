import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSafetensors, stateEntry, WeightFileError } from '../../../src/io/index.ts';
import { loadWeights, saveSafetensors } from '../../../src/io/node/files.ts';
import { expectGolden, golden } from '../golden.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'marsgrad-io-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const state = new Map([['w', stateEntry([2], Float32Array.of(1, 2))]]);

describe('weight files on disk', () => {
  it('loads any format with the sha256 of the file', async () => {
    const path = join(folder, 'weights.bin');
    for (const [name, expected] of [
      ['views-legacy.pt', 'views'],
      ['plain.safetensors', 'plain.safetensors'],
    ] as const) {
      await writeFile(path, golden(name));
      const loaded = await loadWeights(path);
      expectGolden(loaded.state, expected, false);
      expect(loaded.sha256).toBe(createHash('sha256').update(golden(name)).digest('hex'));
    }
  });

  it('saves what it loads, replacing an older file and leaving no other', async () => {
    const path = join(folder, 'weights.safetensors');
    await writeFile(path, 'older');
    const saved = await saveSafetensors(path, state, { note: 'n' });
    expect(await loadWeights(path)).toEqual({ state, metadata: { note: 'n' }, sha256: saved.sha256 });
    expect(readSafetensors(await readFile(path)).metadata).toEqual({ note: 'n' });
    expect(await readdir(folder)).toEqual(['weights.safetensors']);
  });

  it('leaves the older file when writing fails', async () => {
    const path = join(folder, 'weights.safetensors');
    await saveSafetensors(path, state);
    const bad = new Map([['w', { ...stateEntry([1], Float32Array.of(1)), shape: [3] }]]);
    await expect(saveSafetensors(path, bad)).rejects.toThrow(`${path}: cannot be written: tensor 'w' has shape [3]`);
    expect((await loadWeights(path)).state).toEqual(state);
    // The folder itself cannot be replaced by a file: the rename fails after the temporary file was written.
    const inside = join(folder, 'inside', 'x');
    await expect(saveSafetensors(inside, state)).rejects.toThrow(`${inside}: there is no such file.`);
    await expect(saveSafetensors(folder, state)).rejects.toThrow(WeightFileError);
    expect(await readdir(folder)).toEqual(['weights.safetensors']);
  });

  it('names missing and unreadable files in one line', async () => {
    const missing = join(folder, 'none.pt');
    await expect(loadWeights(missing)).rejects.toThrow(new WeightFileError(missing, 'there is no such file.'));
    await expect(loadWeights(folder)).rejects.toThrow(`${folder}: is a folder; needed: a file.`);
    await writeFile(missing, golden('views.pt').subarray(0, 1000));
    await expect(loadWeights(missing)).rejects.toThrow(`${missing}: is truncated`);
  });
});
