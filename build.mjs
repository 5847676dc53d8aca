/**
 * node build.mjs                 compiles the CPU device's WebAssembly and bundles dist/*.js
 * node build.mjs types           writes dist/types/*.d.ts
 * node build.mjs run FILE ARGS…  bundles a TypeScript file of this repository into build/run/ and runs it (Node 20 reads no types)
 *
 * Says what it does on stderr, so that a command's standard output stays its own.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { buildCpuModule } from './src/devices/cpu/build.mjs';

const root = dirname(fileURLToPath(import.meta.url));

/** `import text from './file.ts?raw'`, as Vite has it: a file's text. */
const rawText = {
  name: 'raw-text',
  setup(build) {
    build.onResolve({ filter: /^\..*\?raw$/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, path.slice(0, -'?raw'.length)),
      namespace: 'raw-text',
    }));
    build.onLoad({ filter: /./, namespace: 'raw-text' }, ({ path }) => ({
      contents: readFileSync(path, 'utf8'),
      loader: 'text',
      watchFiles: [path],
    }));
  },
};

/** Shaders are embedded as text and WebAssembly as bytes, so that a bundle needs no files beside it. Packages stay imports. */
export const bundleOptions = /** @type {const} */ ({
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  target: 'es2023',
  packages: 'external',
  loader: { '.wgsl': 'text', '.wasm': 'binary' },
  plugins: /** @type {import('esbuild').Plugin[]} */ ([rawText]),
  logLevel: 'warning',
});

/** What `package.json` exports. The entries share their chunks, so there is one class Tensor however it is reached. */
const ENTRIES = {
  index: 'src/index.ts',
  'index.node': 'src/index.node.ts',
  node: 'src/node.ts',
  cli: 'src/cli/main.ts',
};

export async function bundleLibrary() {
  const { metafile } = await build({
    ...bundleOptions,
    entryPoints: ENTRIES,
    outdir: 'dist',
    splitting: true,
    chunkNames: 'chunks/[name]-[hash]',
    metafile: true,
  });
  chmodSync(join(root, 'dist', 'cli.js'), 0o755);
  for (const name of readdirSync(join(root, 'dist', 'chunks'))) {
    if (!(`dist/chunks/${name}` in metafile.outputs)) rmSync(join(root, 'dist', 'chunks', name));
  }
}

/** Declarations keep the sources' `.ts` specifiers, also in `declare module '../tensor/tensor.ts'`; consumers need `.js`. */
export function emitTypes() {
  const types = join(root, 'dist', 'types');
  rmSync(types, { recursive: true, force: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json')], {
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('tsc found errors; no types were written');
  for (const name of readdirSync(types, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.d.ts')) continue;
    const path = join(types, name);
    const text = readFileSync(path, 'utf8');
    const specifier = /\b(from|import|module) (['"])(\.{1,2}\/[^'"]*)\.ts\2|\bimport\((['"])(\.{1,2}\/[^'"]*)\.ts\4\)/g;
    const rewritten = text.replace(specifier, (_, keyword, _quote, path, _callQuote, called) =>
      keyword ? `${keyword} '${path}.js'` : `import('${called}.js')`,
    );
    writeFileSync(path, rewritten);
  }
}

/** Compiles build/cpu.wasm where it is missing or older than what it is made of (compiling takes seconds). */
async function buildWasmWhenStale() {
  const sources = ['src/devices/cpu/build.mjs', 'src/devices/cpu/layout.ts', 'src/devices/cpu/operations.ts'];
  const modules = readdirSync(join(root, 'src/devices/cpu/wasm'), { recursive: true, encoding: 'utf8' });
  const paths = [...sources, ...modules.map((name) => `src/devices/cpu/wasm/${name}`)];
  const newest = Math.max(...paths.map((path) => statSync(join(root, path)).mtimeMs));
  const wasm = join(root, 'build/cpu.wasm');
  if (existsSync(wasm) && statSync(wasm).mtimeMs > newest) return;
  await buildCpuModule();
}

async function run(file, args) {
  await buildWasmWhenStale();
  const outfile = join(root, 'build', 'run', `${relative(root, file).replace(/[\\/]/g, '-').replace(/\.ts$/, '')}.mjs`);
  await build({ ...bundleOptions, entryPoints: [file], outfile });
  process.argv = [process.argv[0], outfile, ...args];
  await import(pathToFileURL(outfile).href);
}

async function main([command, file, ...args]) {
  if (command === 'types') return emitTypes();
  if (command === 'run') return run(file, args);
  const begin = performance.now();
  await buildWasmWhenStale();
  await bundleLibrary();
  process.stderr.write(`dist/ built in ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
