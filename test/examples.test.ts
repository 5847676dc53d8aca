/** The examples run as they stand, against the built package, and show what they say. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { bundleOptions } from '../build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

test("a network of one's own trains free, in the MARS ball and by DELTA", async () => {
  const outfile = `${root}build/examples/ownNetwork.mjs`;
  const entryPoints = [`${root}examples/ownNetwork.ts`];
  await build({ ...bundleOptions, entryPoints, outfile, alias: { marsgrad: `${root}src/index.node.ts` } });
  const { status, stdout, stderr } = spawnSync(process.execPath, [outfile], { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  const rows = [...stdout.matchAll(/^(\S+): test accuracy ([\d.]+) %, farthest layer ([\d.]+)/gm)];
  expect(rows.map(([, method]) => method)).toEqual(['free', 'mars-pgm', 'delta']);
  for (const [, method, accuracy] of rows) expect(Number(accuracy), method).toBeGreaterThan(60);
  const [free, held] = rows.map(([, , , distance]) => Number(distance));
  expect(held).toBeLessThanOrEqual(0.5);
  expect(free).toBeGreaterThan(0.5);
});
