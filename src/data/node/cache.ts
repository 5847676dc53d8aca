/** The folder where fetched data sets are kept, and how things get into it whole or not at all. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { sha256 } from './digest.ts';

interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: string;
  readonly home: string;
}

/** `MARSGRAD_CACHE`, or `marsgrad` in the platform's folder for caches. */
export function cacheFolder(
  { env, platform, home }: Surroundings = { env: process.env, platform: process.platform, home: homedir() },
): string {
  if (env.MARSGRAD_CACHE) return resolve(env.MARSGRAD_CACHE);
  if (platform === 'win32') return join(env.LOCALAPPDATA || join(home, 'AppData', 'Local'), 'marsgrad', 'Cache');
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'marsgrad');
  return join(env.XDG_CACHE_HOME || join(home, '.cache'), 'marsgrad');
}

export interface CachedFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** The contents of `files` in `folder`; undefined where one is missing or is not what its checksum says. */
export async function readVerified(
  folder: string,
  files: readonly CachedFile[],
): Promise<Map<string, Uint8Array> | undefined> {
  const contents = new Map<string, Uint8Array>();
  for (const file of files) {
    let bytes: Uint8Array;
    try {
      bytes = await readFile(join(folder, file.name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    if (bytes.length !== file.bytes || sha256(bytes) !== file.sha256) return undefined;
    // Not a Buffer: its `slice` does not copy.
    contents.set(file.name, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  }
  return contents;
}

const TEMPORARY = '.tmp-';
const DAY_MS = 24 * 3600 * 1000;

/** Removes what killed processes left beside `target` more than a day ago. */
async function removeLeftovers(target: string): Promise<void> {
  const parent = dirname(target);
  for (const name of await readdir(parent)) {
    if (!name.startsWith(basename(target) + TEMPORARY)) continue;
    const path = join(parent, name);
    const age = await stat(path).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > DAY_MS) await rm(path, { recursive: true, force: true });
  }
}

/**
 * Makes the folder `target` by `build`, which fills a temporary folder beside it that is then renamed (`scratch`, another, is
 * removed); so `target` is never half made, and several processes may do this at once: the first to finish wins, the others use its work. A `target` that
 * exists and is not good is replaced.
 */
export async function installFolder(
  target: string,
  isGood: (folder: string) => Promise<boolean>,
  build: (folder: string, scratch: string) => Promise<void>,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  await removeLeftovers(target);
  const temporary = await mkdtemp(target + TEMPORARY);
  const built = join(temporary, 'new');
  const scratch = join(temporary, 'scratch');
  try {
    await mkdir(built);
    await mkdir(scratch);
    await build(built, scratch);
    try {
      await rename(built, target);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (!['EEXIST', 'ENOTEMPTY', 'EPERM', 'ENOTDIR'].includes(code ?? '')) throw error;
      if (await isGood(target)) return;
      await rename(target, join(temporary, 'broken'));
      await rename(built, target);
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
