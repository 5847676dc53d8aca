/** Small folders of images and a stand-in for npm, made in temporary folders. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach } from 'vitest';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

/** An empty folder that is removed after the test. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'marsgrad-test-'));
  folders.push(folder);
  return folder;
}

/** Writes an image of one colour; the extension decides the format. */
export async function writeImage(path: string, colour: [number, number, number], height = 4, width = 4): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const [r, g, b] = colour;
  await sharp({ create: { width, height, channels: 3, background: { r, g, b } } }).toFile(path);
}

/** `root/<class>/<k>.png` for k = 0 … count-1; image k of class c is of colour (c, k, 9). */
export async function writeClasses(root: string, classes: readonly string[], count: number): Promise<void> {
  for (const [c, name] of classes.entries()) {
    for (let k = 0; k < count; k++) await writeImage(join(root, name, `${k}.png`), [c, k, 9]);
  }
}

/**
 * Puts a command `npm` in front of the others. `npm pack` copies `tarball` to its destination and adds a line to
 * `calls`; without a tarball it fails as npm does without network. Returns the path of `calls` and what undoes it.
 */
export async function replaceNpm(tarball?: string): Promise<{ calls: string; restore: () => void }> {
  const folder = await temporaryFolder();
  const calls = join(folder, 'calls');
  const npm = join(folder, 'npm');
  const work = tarball
    ? `cp "${tarball}" "$npm_config_pack_destination/"`
    : 'echo "npm error code ENOTFOUND" >&2; echo "npm error A complete log of this run can be found in: x" >&2; exit 1';
  await writeFile(npm, `#!/bin/sh\necho "$@" >> "${calls}"\n${work}\n`);
  await chmod(npm, 0o755);
  const before = process.env.PATH;
  process.env.PATH = `${folder}${delimiter}${before}`;
  return {
    calls,
    restore: () => {
      process.env.PATH = before;
    },
  };
}
