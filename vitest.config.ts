import { readFileSync } from 'node:fs';
import { defineConfig, type Plugin } from 'vitest/config';

/** Imports `*.wgsl` as text and `*.wasm` as bytes, as the loaders of build.mjs do in the bundle; Vite itself knows `*?raw`. */
const assets: Plugin = {
  name: 'marsgrad-assets',
  enforce: 'pre',
  load(id) {
    const path = id.split('?')[0] ?? id;
    if (path.endsWith('.wgsl')) return `export default ${JSON.stringify(readFileSync(path, 'utf8'))};`;
    if (path.endsWith('.wasm')) {
      const base64 = readFileSync(path).toString('base64');
      return `export default Uint8Array.from(atob('${base64}'), (c) => c.charCodeAt(0));`;
    }
    return null;
  },
};

export default defineConfig({
  plugins: [assets],
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 2,
    reporters: ['default', ['json', { outputFile: 'build/test-results.json' }]],
    projects: [
      // `npm test`
      { extends: true, test: { name: 'short', include: ['test/**/*.test.ts'], exclude: ['test/long/**'] } },
      // `npm run test:long`: minutes each
      { extends: true, test: { name: 'long', include: ['test/long/**/*.test.ts'], testTimeout: 1_800_000 } },
    ],
  },
});
