import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cacheFolder, installFolder, readVerified } from '../../../src/data/node/cache.ts';
import { sha256 } from '../../../src/data/node/digest.ts';
import { temporaryFolder } from './fixtures.ts';

describe('cacheFolder', () => {
  it('is MARSGRAD_CACHE, else the platform’s', () => {
    const home = '/home/ada';
    expect(cacheFolder({ env: { MARSGRAD_CACHE: '/x/y' }, platform: 'linux', home })).toBe('/x/y');
    expect(cacheFolder({ env: {}, platform: 'linux', home })).toBe('/home/ada/.cache/marsgrad');
    expect(cacheFolder({ env: { XDG_CACHE_HOME: '/c' }, platform: 'linux', home })).toBe('/c/marsgrad');
    expect(cacheFolder({ env: {}, platform: 'darwin', home })).toBe('/home/ada/Library/Caches/marsgrad');
    expect(cacheFolder({ env: { LOCALAPPDATA: '/local' }, platform: 'win32', home })).toContain('/local');
  });
});

describe('readVerified', () => {
  it('gives the contents only when every file has its checksum', async () => {
    const folder = await temporaryFolder();
    const files = [{ name: 'a', bytes: 5, sha256: sha256('hello') }];
    expect(await readVerified(folder, files)).toBeUndefined();
    await writeFile(join(folder, 'a'), 'hallo');
    expect(await readVerified(folder, files)).toBeUndefined();
    await writeFile(join(folder, 'a'), 'hello');
    expect(Buffer.from((await readVerified(folder, files))!.get('a')!).toString()).toBe('hello');
  });
});

describe('installFolder', () => {
  const isGood = (folder: string) =>
    readFile(join(folder, 'f'), 'utf8').then(
      (text) => text === 'good',
      () => false,
    );
  const write = (text: string) => async (folder: string) => writeFile(join(folder, 'f'), text);

  it('makes the folder and leaves nothing else behind', async () => {
    const parent = await temporaryFolder();
    await installFolder(join(parent, 'deep', 'target'), isGood, write('good'));
    expect(await isGood(join(parent, 'deep', 'target'))).toBe(true);
    expect(await readdir(join(parent, 'deep'))).toEqual(['target']);
  });

  it('leaves neither target nor temporary files when the work fails', async () => {
    const parent = await temporaryFolder();
    const fail = async (folder: string) => {
      await write('half')(folder);
      throw new Error('disk full');
    };
    await expect(installFolder(join(parent, 'target'), isGood, fail)).rejects.toThrow('disk full');
    expect(await readdir(parent)).toEqual([]);
  });

  it('keeps a good folder that another process made meanwhile, replaces a broken one', async () => {
    const parent = await temporaryFolder();
    const target = join(parent, 'target');
    await installFolder(target, isGood, async (folder) => {
      await mkdir(target);
      await writeFile(join(target, 'f'), 'good');
      await writeFile(join(target, 'other'), 'theirs');
      await write('good')(folder);
    });
    expect(await readdir(target)).toContain('other');
    await writeFile(join(target, 'f'), 'broken');
    await installFolder(target, isGood, write('good'));
    expect(await readdir(target)).toEqual(['f']);
    expect(await readdir(parent)).toEqual(['target']);
  });

  it('lets many do it at once', async () => {
    const parent = await temporaryFolder();
    const target = join(parent, 'target');
    await Promise.all(Array.from({ length: 8 }, () => installFolder(target, isGood, write('good'))));
    expect(await isGood(target)).toBe(true);
    expect(await readdir(parent)).toEqual(['target']);
  });

  it('removes what a killed process left more than a day ago, not what is younger', async () => {
    const parent = await temporaryFolder();
    for (const name of ['target.tmp-old', 'target.tmp-new', 'neighbour']) await mkdir(join(parent, name));
    const twoDaysAgo = new Date(Date.now() - 2 * 24 * 3600 * 1000);
    await utimes(join(parent, 'target.tmp-old'), twoDaysAgo, twoDaysAgo);
    await utimes(join(parent, 'neighbour'), twoDaysAgo, twoDaysAgo);
    await installFolder(join(parent, 'target'), isGood, write('good'));
    expect((await readdir(parent)).sort()).toEqual(['neighbour', 'target', 'target.tmp-new']);
  });
});
