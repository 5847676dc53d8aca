/**
 * What DESIGN calls "imports run downward only": every file of src/ may import from its own folder, from the folders that the
 * table names for it, and from those that these may import. What needs Node stays in the few places that say so.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..');
const LONGEST_FILE = 400;

const LAYERS: Readonly<Record<string, readonly string[]>> = {
  kernels: [],
  devices: ['kernels'],
  tensor: ['devices', 'kernels'],
  autograd: ['tensor'],
  ops: ['autograd', 'tensor', 'kernels'],
  nn: ['ops'],
  optim: ['ops', 'tensor'],
  regularizers: ['ops', 'optim', 'nn'],
  data: ['tensor'],
  io: ['tensor'],
  train: ['nn', 'optim', 'regularizers', 'data', 'io'],
  audit: ['train'],
  experiments: ['train'],
  report: ['experiments', 'audit'],
  cli: ['report', 'experiments', 'audit', 'train'],
  // The entry points, src/*.ts.
  '': ['cli'],
};

/** Files that may import Node's modules and packages; nothing else may import these files. */
const NODE_ONLY =
  /^(cli\/|(data|io|audit|experiments|report)\/node\/|devices\/(\w+\/)?node\.ts$|index\.node\.ts$|node\.ts$)/;

/** AssemblyScript; its own imports have no bearing on these rules. */
const OTHER_LANGUAGE = /^devices\/cpu\/wasm\//;

const layerOf = (file: string): string => (file.includes('/') ? file.slice(0, file.indexOf('/')) : '');

function reachable(layer: string): ReadonlySet<string> {
  const found = new Set([layer]);
  for (const name of found) for (const below of LAYERS[name]!) found.add(below);
  return found;
}

/** Specifiers of static, side-effect and dynamic imports, and of re-exports. */
function importsOf(source: string): string[] {
  const code = source.replace(/^\s*(\/?\*|\/\/).*$/gm, '');
  const pattern = /\b(?:from|import|import\()\s*['"]([^'"]+)['"]/g;
  return [...code.matchAll(pattern)].map((match) => match[1]!);
}

/** What is wrong with one file, as sentences. `file` is relative to src/. */
function violations(file: string, source: string): string[] {
  const found: string[] = [];
  const lines = source.split('\n').length - 1;
  if (lines > LONGEST_FILE) found.push(`src/${file} has ${lines} lines, more than ${LONGEST_FILE}: split it`);
  const layer = layerOf(file);
  if (!(layer in LAYERS)) return [...found, `src/${layer}/ is not in the table of layers`];
  const allowed = reachable(layer);
  for (const specifier of importsOf(source)) {
    if (!specifier.startsWith('.')) {
      if (!NODE_ONLY.test(file))
        found.push(`src/${file} imports '${specifier}': it must run in a browser, without packages`);
      continue;
    }
    const target = normalize(join(dirname(`src/${file}`), specifier));
    if (!target.startsWith('src/')) {
      if (!/^(shaders\/\w+\.wgsl|build\/cpu\.wasm|docs\/check_run\.py\?raw)$/.test(target))
        found.push(`src/${file} imports ${target}, outside src/`);
      continue;
    }
    const imported = target.slice('src/'.length);
    if (!allowed.has(layerOf(imported)))
      found.push(`src/${file} imports ${target}: ${layer} may not import ${layerOf(imported)}`);
    if (NODE_ONLY.test(imported) && !NODE_ONLY.test(file)) {
      found.push(`src/${file} imports ${target}, which needs Node; it must run in a browser itself`);
    }
  }
  return found;
}

const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.ts') && !OTHER_LANGUAGE.test(name));

describe('the architecture', () => {
  it('has no import that runs upward, no Node where a browser must do, and no long file', () => {
    expect(files.length).toBeGreaterThan(50);
    const found = files.flatMap((file) => violations(file, readFileSync(join(ROOT, 'src', file), 'utf8')));
    expect(found).toEqual([]);
  });

  it('has no cycle between layers', () => {
    for (const layer of Object.keys(LAYERS)) {
      for (const below of LAYERS[layer]!) expect(reachable(below), `${layer} → ${below}`).not.toContain(layer);
    }
  });
});

describe('the rule finds', () => {
  const broken: readonly [reason: string, file: string, source: string, complaint: string][] = [
    ['an upward import', 'ops/conv2d.ts', "import { Module } from '../nn/module.ts';", 'ops may not import nn'],
    [
      'one of a type',
      'tensor/tensor.ts',
      "import type { Tape } from '../autograd/tape.ts';",
      'tensor may not import autograd',
    ],
    [
      'one that re-exports',
      'kernels/copy.ts',
      "export * from '../devices/device.ts';",
      'kernels may not import devices',
    ],
    ['one for its side effect', 'autograd/tape.ts', "import '../ops/methods.ts';", 'autograd may not import ops'],
    [
      'a dynamic one',
      'data/loader.ts',
      "const { fit } = await import('../train/fit.ts');",
      'data may not import train',
    ],
    [
      'one over several lines',
      'nn/layers.ts',
      "import {\n  a,\n  b,\n} from '../optim/index.ts';",
      'nn may not import optim',
    ],
    ['one that is deeper', 'nn/models/resnet.ts', "import { x } from '../../io/load.ts';", 'nn may not import io'],
    ['Node in a browser', 'io/load.ts', "import { readFile } from 'node:fs/promises';", 'must run in a browser'],
    ['a package in a browser', 'data/transforms.ts', "import sharp from 'sharp';", 'must run in a browser'],
    ['a way round to Node', 'data/index.ts', "export * from './node/index.ts';", 'needs Node'],
    ['a folder without a rule', 'misc/x.ts', '', 'not in the table'],
    ['a file outside src/', 'train/fit.ts', "import x from '../../test/helpers/x.ts';", 'outside src/'],
    ['a long file', 'nn/layers.ts', '\n'.repeat(LONGEST_FILE + 1), 'split it'],
  ];
  it.each(broken)('%s', (_reason, file, source, complaint) => {
    const found = violations(file, source);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(complaint);
  });

  it('nothing in what is allowed', () => {
    const source =
      "/** import { x } from '../cli/x.ts' */\nimport { a } from '../tensor/a.ts';\nimport s from '../../../shaders/a.wgsl';";
    expect(violations('data/node/x.ts', "import sharp from 'sharp';\nimport { a } from '../dataset.ts';")).toEqual([]);
    expect(violations('devices/webgpu/x.ts', source.replace('tensor', 'webgpu'))).toEqual([]);
    expect(
      violations('cli/main.ts', "import { a } from '../tensor/a.ts';\nimport { b } from '../train/b.ts';"),
    ).toEqual([]);
  });
});
