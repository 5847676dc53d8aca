import { describe, expect, it } from 'vitest';
import { readWeights, WeightFileError } from '../../src/io/index.ts';
import { expectGolden, golden } from './golden.ts';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

describe('telling formats apart by content', () => {
  it('reads safetensors and both of the formats of PyTorch', () => {
    expectGolden(readWeights(golden('plain.safetensors')), 'plain.safetensors', false);
    for (const name of ['views.pt', 'views-legacy.pt']) expectGolden(readWeights(golden(name)), 'views');
    for (const protocol of [1, 2, 3, 4, 5]) {
      expectGolden(readWeights(golden(`checkpoint-legacy-${protocol}.pt`)), 'checkpoint');
    }
  });

  it('takes a safetensors file whose length looks like a pickle for what it is', () => {
    const json = '{}'.padEnd(0x280);
    const file = new Uint8Array(8 + json.length);
    file.set(text(json), 8);
    new DataView(file.buffer).setUint32(0, json.length, true);
    expect([...file.subarray(0, 2)]).toEqual([0x80, 2]);
    expect(readWeights(file).size).toBe(0);
  });

  it('refuses dangerous pickles by name', () => {
    for (const name of ['', '-legacy', '-plain', '-protocol0']) {
      expect(() => readWeights(golden(`malicious${name}.pt`), 'w.pt')).toThrow(
        /^w\.pt: .*import 'os\.system'.*refused/,
      );
    }
  });

  it.each([
    [new Uint8Array(0), 'is empty'],
    [text('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'), 'it is a Git LFS pointer'],
    [text('\n<!DOCTYPE html><html>'), 'it is a web page'],
    [Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a), 'it is HDF5'],
    [text('class names, one a line\n'), 'is no weight file that can be read'],
    [text('PK'), 'is no weight file that can be read'],
    [Uint8Array.of(0x80), 'is truncated'],
  ])('%#: says what else it is', (bytes, message) => {
    const read = () => readWeights(bytes, 'w.bin');
    expect(read).toThrow(WeightFileError);
    expect(read).toThrow(`w.bin: ${message}`.replace('bin: it', 'bin: is no weight file that can be read: it'));
  });
});
