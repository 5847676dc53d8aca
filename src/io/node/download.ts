/**
 * Files from the web, kept in a folder: fetched once, with a checksum where one is given, and gone on with where they were cut off. What is
 * half there is never taken for whole: it lies under another name (`.part`) until it is complete and checked.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { WeightFileError } from '../errors.ts';

export interface DownloadOptions {
  /** Where files are kept. */
  readonly folder: string;
  /** Bytes so far, and of the whole file where the server says. */
  readonly onProgress?: (done: number, total: number | null) => void;
  /** Default: the global one. */
  readonly fetch?: typeof fetch;
}

export interface Downloaded {
  readonly path: string;
  /** Hexadecimal. */
  readonly sha256: string;
  /** False where it was there already. */
  readonly fetched: boolean;
}

/** What the server said of the file: a part fits to the rest where it has not changed since. */
interface Identity {
  readonly url: string;
  readonly validator: string | null;
}

/** Tries after which a connection that breaks is given up; each goes on where the one before ended. */
const TRIES = 4;

const isLocal = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);

/** True where a command line's name of a file is an address. */
export const isAddress = (text: string): boolean => /^https?:\/\//i.test(text);

/**
 * The file at `address`, which may end in `#sha256=` and its checksum. Only https, or http on this machine.
 *
 * @throws WeightFileError that names the address: refused, not found, cut off too often, another checksum.
 */
export async function download(address: string, options: DownloadOptions): Promise<Downloaded> {
  const { url, expected } = parseAddress(address);
  const key = createHash('sha256').update(url).digest('hex').slice(0, 16);
  const name = basename(new URL(url).pathname).replace(/[^\w.-]/g, '_') || 'file';
  const path = join(options.folder, `${key}-${name}`);
  await mkdir(options.folder, { recursive: true });
  const known = await readFile(`${path}.sha256`, 'utf8').catch(() => null);
  if (known !== null && (await stat(path).catch(() => null))) {
    // Weights are checked whenever they are read: a file that was changed since is fetched anew.
    const sha256 = await digestOf(path);
    if (sha256 === known && (expected === null || sha256 === expected)) return { path, sha256, fetched: false };
  }
  const release = await lock(path, url);
  try {
    await fetchWhole(url, path, options);
    const sha256 = await digestOf(`${path}.part`);
    if (expected !== null && sha256 !== expected) {
      await discard(path);
      throw new WeightFileError(url, `has the sha256 ${sha256}, but ${expected} was expected. Nothing was kept.`);
    }
    await rename(`${path}.part`, path);
    await writeFile(`${path}.sha256`, sha256);
    await rm(`${path}.part.json`, { force: true });
    return { path, sha256, fetched: true };
  } finally {
    await release();
  }
}

function parseAddress(address: string): { readonly url: string; readonly expected: string | null } {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new WeightFileError(address, 'is no address.');
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal(url.hostname)))
    throw new WeightFileError(address, 'is fetched by https only.');
  const fragment = url.hash.slice(1);
  const expected = /^sha256=([0-9a-f]{64})$/i.exec(fragment)?.[1]?.toLowerCase() ?? null;
  if (fragment !== '' && expected === null)
    throw new WeightFileError(address, 'ends in something else than #sha256= and 64 hexadecimal digits.');
  url.hash = '';
  return { url: url.href, expected };
}

/** One process fetches a file at a time. */
async function lock(path: string, url: string): Promise<() => Promise<void>> {
  const file = `${path}.lock`;
  const owner = Number(await readFile(file, 'utf8').catch(() => ''));
  if (owner > 0 && owner !== process.pid && isRunning(owner))
    throw new WeightFileError(url, `is being fetched by process ${owner} already.`);
  await writeFile(file, String(process.pid));
  return () => rm(file, { force: true });
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const discard = async (path: string): Promise<void> => {
  for (const name of [`${path}.part`, `${path}.part.json`]) await rm(name, { force: true });
};

/** Fills `path.part`, over several connections if need be. */
async function fetchWhole(url: string, path: string, options: DownloadOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await fetchRest(url, path, options);
      return;
    } catch (error) {
      if (error instanceof WeightFileError) throw error;
      if (attempt < TRIES) continue;
      const cause = (error as { cause?: { message?: string } }).cause?.message ?? (error as Error).message;
      throw new WeightFileError(url, `cannot be fetched: ${cause}. What came is kept; try again to go on.`);
    }
  }
}

/** From where `path.part` ends. */
async function fetchRest(
  url: string,
  path: string,
  { fetch: get = fetch, onProgress }: DownloadOptions,
): Promise<void> {
  const saved = await readFile(`${path}.part.json`, 'utf8').then(
    (text) => JSON.parse(text) as Identity,
    () => null,
  );
  const have = saved?.validator
    ? await stat(`${path}.part`).then(
        ({ size }) => size,
        () => 0,
      )
    : 0;
  const headers = have > 0 ? { range: `bytes=${have}-`, 'if-range': saved!.validator! } : {};
  // Compressed on the way, lengths and ranges would mean something else.
  const response = await get(url, { headers: { ...headers, 'accept-encoding': 'identity' } });
  if (response.status === 416 && have > 0) {
    await discard(path);
    throw new Error('the server has less than what was fetched');
  }
  if (!response.ok || !response.body)
    throw new WeightFileError(
      url,
      `the server answers ${response.status} ${response.statusText}.`.replace(/ +\./, '.'),
    );
  if (new URL(response.url || url).protocol === 'http:' && !isLocal(new URL(response.url || url).hostname))
    throw new WeightFileError(url, `leads to ${response.url}, which is not https.`);
  const goesOn =
    response.status === 206 && response.headers.get('content-range')?.startsWith(`bytes ${have}-`) === true;
  if (response.status === 206 && !goesOn)
    throw new WeightFileError(url, 'the server sends another part than was asked for.');
  const start = goesOn ? have : 0;
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  const total = Number.isFinite(length) ? start + length : null;
  const validator = strongValidator(response.headers);
  await writeFile(`${path}.part.json`, JSON.stringify({ url, validator } satisfies Identity));
  const file = await open(`${path}.part`, goesOn ? 'a' : 'w');
  let done = start;
  try {
    for await (const chunk of response.body) {
      await file.write(chunk);
      done += chunk.length;
      onProgress?.(done, total);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  if (total !== null && done !== total) throw new Error(`the connection ended after ${done} of ${total} bytes`);
}

/** An ETag that is the same for the same bytes alone, or the time of the last change. */
function strongValidator(headers: Headers): string | null {
  const tag = headers.get('etag');
  return tag && !tag.startsWith('W/') ? tag : headers.get('last-modified');
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
