/** What `npm pack` makes, as its users meet it: installed in a folder of its own, without this repository and without Dawn. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

let folder: string;
const installed = (...path: string[]) => join(folder, 'node_modules', 'marsgrad', ...path);

function run(command: string, args: string[], cwd = folder): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    shell: command === 'npm.cmd',
  });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${error ?? ''}${stdout}${stderr}`);
  return stdout;
}

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

beforeAll(() => {
  if (!existsSync(join(ROOT, 'dist', 'types', 'index.d.ts')))
    throw new Error('dist/ is not built: `npm run build` (npm test does)');
  folder = mkdtempSync(join(tmpdir(), 'marsgrad-package-'));
  run(NPM, ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], ROOT);
  const [tarball] = readdirSync(folder);
  write('package.json', JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  run(NPM, ['install', `./${tarball}`, '--prefer-offline', '--no-audit', '--no-fund', '--silent']);
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the package', () => {
  it('holds what it needs and nothing else', () => {
    const top = readdirSync(installed()).filter((name) => name !== 'node_modules');
    expect(top.sort()).toEqual(['LICENSE', 'README.md', 'dist', 'package.json', 'pretrained', 'shaders']);
    expect(existsSync(join(folder, 'node_modules', 'webgpu'))).toBe(false);
  });

  it('computes in Node, says why it has no GPU, and has one Tensor class in all entries', () => {
    const script = write(
      'compute.js',
      `import { initDevice, Tensor, tensor } from 'marsgrad';
      import { saveSafetensors } from 'marsgrad/node';
      const { device, reason } = await initDevice();
      const product = tensor([[1, 2], [3, 4]]).matmul(tensor([[1], [1]]));
      const values = [...await product.data()];
      console.log(JSON.stringify({ kind: device.kind, reason, values, tensor: product instanceof Tensor, save: typeof saveSafetensors }));
      device.close();`,
    );
    const result = JSON.parse(run(process.execPath, [script]));
    expect(result).toMatchObject({ kind: 'cpu', values: [3, 7], tensor: true, save: 'function' });
    expect(result.reason).toContain('npm install webgpu');
  });

  it('has a command', () => {
    expect(run(NPM, ['exec', '--offline', '--', 'marsgrad', '--help'])).toContain('finetune');
  });

  it.each(['nodenext', 'bundler'])('has types under module resolution %s', (moduleResolution) => {
    const source = (method: string) => `import { initDevice, type Tensor, tensor } from 'marsgrad';
      import { saveSafetensors } from 'marsgrad/node';
      await initDevice({ device: 'reference' });
      const x: Tensor = tensor([[1, 2]], { requiresGrad: true });
      export const y: Tensor = x.${method}(x.transpose()).relu();
      export const save: (...args: never[]) => unknown = saveSafetensors;`;
    write('right.ts', source('matmul'));
    write('wrong.ts', source('matnul'));
    const module = moduleResolution === 'bundler' ? 'esnext' : moduleResolution;
    const compilerOptions = { strict: true, noEmit: true, target: 'es2022', module, moduleResolution, types: [] };
    const project = write('tsconfig.json', JSON.stringify({ compilerOptions, files: ['right.ts', 'wrong.ts'] }));
    const { stdout } = spawnSync(process.execPath, [TSC, '-p', project], { cwd: folder, encoding: 'utf8' });
    const errors = stdout.split('\n').filter((line) => line.includes('error TS'));
    expect(errors).toEqual([expect.stringMatching(/^wrong\.ts.*Property 'matnul' does not exist on type 'Tensor'/)]);
  });

  it('bundles for a browser without anything of Node', async () => {
    mkdirSync(join(folder, 'page'));
    const entry = write(join('page', 'page.js'), "import { tensor } from 'marsgrad';\nconsole.log(tensor);");
    const { outputFiles, metafile } = await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      platform: 'browser',
      write: false,
      metafile: true,
      logLevel: 'silent',
    });
    expect(Object.keys(metafile.inputs).some((path) => path.endsWith('dist/index.js'))).toBe(true);
    expect(outputFiles[0]!.text).not.toMatch(/\bfrom\s*["']|\brequire\(|import\(\s*["']/);
  });
});
