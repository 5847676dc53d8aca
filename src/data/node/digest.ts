/** Checksums of files and of whole data sets. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** The file's checksum as in a package lock: `sha512-` and base64. */
export async function fileIntegrity(path: string): Promise<string> {
  const hash = createHash('sha512');
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return `sha512-${hash.digest('base64')}`;
}

/** One checksum for a set of named contents: sha256 of the lines "name, zero byte, fingerprint, newline", sorted by name. */
export function digestOf(fingerprints: ReadonlyMap<string, string>): string {
  const names = [...fingerprints.keys()].sort();
  return sha256(names.map((name) => `${name}\0${fingerprints.get(name)}\n`).join(''));
}
