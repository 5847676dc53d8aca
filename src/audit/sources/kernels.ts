/** A kernel's two texts, and who launches it: found in the embedded sources, so that what is shown is what was run. */
import { programs } from '../../devices/webgpu/programs.ts';
import { kernels } from '../../kernels/index.ts';
import { sourceFiles } from './files.ts';

export interface SourceText {
  /** Path in the repository. */
  readonly path: string;
  /** First line of the text in that file, counted from 1. */
  readonly line: number;
  readonly text: string;
}

export interface KernelSource {
  readonly name: string;
  /** The shader file, whole. */
  readonly wgsl: SourceText;
  /** The definition with its float64 reference, and the comment above it. */
  readonly definition: SourceText;
  /** Files that launch it: the operation with forward and backward, the optimiser, the projection. */
  readonly users: readonly string[];
}

/** Where a statement begins at the left margin. */
const STATEMENT = /^(?:export |const |function |class |type |interface |import |let |async )/;

/** The top-level statement of `path` whose first line matches, with the comment right above it; null where there is none. */
export function statementIn(path: string, first: RegExp): SourceText | null {
  const lines = (sourceFiles.get(path) ?? '').split('\n');
  const at = lines.findIndex((line) => STATEMENT.test(line) && first.test(line));
  if (at < 0) return null;
  let begin = at;
  while (begin > 0 && /^(?:\/\*\*| \*|\/\/)/.test(lines[begin - 1]!)) begin--;
  let end = at + 1;
  while (end < lines.length && !/^[^\s})\]]/.test(lines[end]!)) end++;
  const text = lines.slice(begin, end).join('\n').trimEnd();
  return { path, line: begin + 1, text };
}

/** The kernels that a file imports as values, under the names that their modules give them. */
function importedKernels(text: string): string[] {
  const imports = text.matchAll(/^import \{([^}]*)\} from \S*kernels\/\w+\.ts/gm);
  return [...imports].flatMap(([, names]) =>
    names!
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '' && !name.startsWith('type '))
      .map((name) => name.split(' as ')[0]!),
  );
}

function findSource(name: string): KernelSource {
  const program = programs.get(name);
  const own = [...sourceFiles.keys()].filter((path) => path.startsWith('src/kernels/'));
  const definition = own.map((path) => statementIn(path, new RegExp(`^export const ${name} =`))).find(Boolean);
  if (!program || !definition) throw new Error(`the kernel ${name} has no shader or no definition among the sources`);
  const users = [...sourceFiles].filter(([, text]) => importedKernels(text).includes(name)).map(([path]) => path);
  return { name, wgsl: { path: `shaders/${name}.wgsl`, line: 1, text: program.source }, definition, users };
}

/** Of all kernels, by name. */
export function kernelSources(): ReadonlyMap<string, KernelSource> {
  return new Map([...kernels.keys()].map((name) => [name, findSource(name)]));
}
