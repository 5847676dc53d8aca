/** The repository: bundled benchmarks run from build/run/, two folders below it. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'build.mjs'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('bench: run it from a checkout of the repository (npm run bench)');
  return findRoot(parent);
}
