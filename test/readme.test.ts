/** The README's example, as it stands there: it type-checks, runs, learns, and stays in its ball. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { bundleOptions } from '../build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = `${root}build/readme`;
const entry = `${root}src/index.node.ts`;

const blocks = [...readFileSync(`${root}README.md`, 'utf8').matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(
  ([, code]) => code!,
);
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/example.ts`, `${blocks.join('\n')}\nexport { ball, device, step, tensor };\n`);

test('the example type-checks', () => {
  const options = { noEmit: true, noUnusedLocals: false, paths: { marsgrad: [entry] } };
  const files = [`${folder}/example.ts`, `${root}src/assets.d.ts`];
  writeFileSync(
    `${folder}/tsconfig.json`,
    JSON.stringify({ extends: `${root}tsconfig.json`, compilerOptions: options, include: [], files }),
  );
  const compiler = `${root}node_modules/typescript/bin/tsc`;
  const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
  expect(stdout).toBe('');
  expect(status).toBe(0);
});

test('the example runs, learns and stays in its ball', async () => {
  const outfile = `${folder}/example.mjs`;
  await build({ ...bundleOptions, entryPoints: [`${folder}/example.ts`], outfile, alias: { marsgrad: entry } });
  const { ball, device, step, tensor } = await import(/* @vite-ignore */ pathToFileURL(outfile).href);
  try {
    // Four classes that differ in colour and brightness, 8 images each.
    const labels = Int32Array.from({ length: 32 }, (_, i) => i % 4);
    const pixels = Float32Array.from({ length: 32 * 3 * 64 }, (_, i) => {
      const label = labels[Math.floor(i / 192)]!;
      const channel = Math.floor(i / 64) % 3;
      return Math.sin(12.9898 * i) * 0.3 + (channel === label ? 1 : 0) - (label === 3 ? 0.5 : 0);
    });
    const [images, targets] = [tensor(pixels, { shape: [32, 3, 8, 8] }), tensor(labels)];
    const losses: number[] = [];
    let worst = 0;
    for (let i = 0; i < 30; i++) {
      losses.push(await step(images, targets).item());
      worst = Math.max(worst, await ball.worstRatio().item());
    }
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
    expect(worst).toBeGreaterThan(0.5);
    expect(worst).toBeLessThanOrEqual(1 + 1e-5);
  } finally {
    device.close();
  }
});
