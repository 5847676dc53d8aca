/** What the installed package knows about itself. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

interface Manifest {
  readonly name?: string;
  readonly version?: string;
}

function findRoot(): { root: string; manifest: Manifest } {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (true) {
    const manifest = manifestIn(folder);
    if (manifest?.name === 'marsgrad') return { root: folder, manifest };
    const parent = dirname(folder);
    if (parent === folder) throw new Error('The package.json of marsgrad is not above its own files.');
    folder = parent;
  }
}

function manifestIn(folder: string): Manifest | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  } catch {
    return undefined;
  }
}

const found = findRoot();

/** The folder of package.json: sources and bundle lie at different depths below it. */
export const PACKAGE_ROOT = found.root;
export const VERSION = found.manifest.version ?? 'unknown';
