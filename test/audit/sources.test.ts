/** The embedded sources are the files of the repository, and hold every kernel and everyone who launches one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sourceFiles } from '../../src/audit/sources/files.ts';
import { kernelSources, statementIn } from '../../src/audit/sources/kernels.ts';
import { kernels } from '../../src/kernels/index.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

test('each text is its file', () => {
  for (const [path, text] of sourceFiles) expect(text, path).toBe(read(path));
});

test('no file that defines or launches a kernel is missing', () => {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .map((name) => `src/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts') && !/^src\/(devices|audit|report|cli)\//.test(path))
    .filter((path) =>
      /defineKernel\(|^import \{(?!\s*type)[^}]*\} from '[./]*kernels\/(?!contract|index)/m.test(read(path)),
    )
    .filter((path) => /defineKernel\(|\blaunch\(/.test(read(path)));
  expect(files.length).toBeGreaterThan(35);
  expect(files.filter((path) => !sourceFiles.has(path))).toEqual([]);
});

test('every kernel has its shader, its definition with the reference, and a user', () => {
  const sources = kernelSources();
  expect([...sources.keys()]).toEqual([...kernels.keys()]);
  for (const { name, wgsl, definition, users } of sources.values()) {
    expect(wgsl.text, name).toBe(read(`shaders/${name}.wgsl`));
    expect(definition.text, name).toMatch(/^ {2}reference\(/m);
    expect(definition.text.trimEnd().endsWith('});'), name).toBe(true);
    expect(definition.text.match(/defineKernel\(/g), name).toHaveLength(1);
    const from = read(definition.path)
      .split('\n')
      .slice(definition.line - 1)
      .join('\n');
    expect(from.startsWith(definition.text), name).toBe(true);
    expect(users.length, name).toBeGreaterThan(0);
  }
  expect(sources.get('conv2d')!.users).toEqual(['src/ops/conv2d.ts']);
  expect(sources.get('projectRows')!.users).toContain('src/regularizers/rowTable.ts');
  expect(sources.get('sgdUpdate')!.definition.text).toContain('torch.optim.SGD');
});

test('a statement that is not there is null', () => {
  expect(statementIn('src/kernels/copy.ts', /nothing of the kind/)).toBe(null);
  expect(statementIn('src/nowhere.ts', /./)).toBe(null);
});
