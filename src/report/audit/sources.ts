/** The sources that a run's kernels come from, once each; the launches' details show copies of them. */
import type { RecordedLaunch } from '../../audit/format.ts';
import { sourceFiles } from '../../audit/sources/files.ts';
import { type KernelSource, kernelSources, type SourceText } from '../../audit/sources/kernels.ts';
import { disclosure, type Html, html, section } from '../page/index.ts';

/** An id for a path: `file-src-ops-conv2d-ts`. */
export const fileId = (path: string): string => `file-${path.replace(/[^A-Za-z0-9]+/g, '-')}`;

/** Comments apart from code: what a reader looks for first. */
export function highlighted(text: string): Html {
  const pieces = text.split(/(\/\*[\s\S]*?\*\/|\/\/[^\n]*)/);
  return html`<pre tabindex="0"><code>${pieces.map((piece, i) => (i % 2 === 1 ? html`<i>${piece}</i>` : piece))}</code></pre>`;
}

const titled = ({ path, line, text }: SourceText, id: string): Html =>
  html`<div id="${id}"><p class="path">${path}${line > 1 && `, from line ${line}`}</p>${highlighted(text)}</div>
`;

function kernelEntry({ name, definition, wgsl, users }: KernelSource): Html {
  const links = users.map((path, i) => html`${i > 0 && ', '}<a href="#${fileId(path)}">${path}</a>`);
  const body = html`<p>Launched by ${links}.</p>
<h4>What it means: the definition, with the float64 reference</h4>${titled(definition, `definition-${name}`)}
<h4>What runs on a GPU: WGSL</h4>${titled(wgsl, `wgsl-${name}`)}`;
  return html`<div class="source" id="kernel-${name}">${disclosure(html`<code>${name}</code>`, body, `kernel-${name}`)}</div>
`;
}

/** Which of a kernel's users a launch most likely came from: operations in the passes, optimisers and projections after them. */
export function usersOf({ kernel, phase }: RecordedLaunch, sources: ReadonlyMap<string, KernelSource>): string[] {
  const users = sources.get(kernel)?.users ?? [];
  const folders =
    phase === 'update' ? ['optim', 'regularizers', 'train', 'ops'] : ['ops', 'autograd', 'nn', 'regularizers'];
  const rank = (path: string) => {
    const at = folders.findIndex((folder) => path.startsWith(`src/${folder}/`));
    return at < 0 ? folders.length : at;
  };
  return [...users].sort((a, b) => rank(a) - rank(b));
}

export function sourcesSection(names: readonly string[]): Html {
  const all = kernelSources();
  const known = names.flatMap((name) => all.get(name) ?? []);
  const unknown = names.filter((name) => !all.has(name));
  const files = [...new Set(known.flatMap(({ users }) => users))].sort();
  return section(
    'sources',
    'Sources',
    html`<p>All ${known.length} kernels that the recorded step launched. The definition says in ordinary float64 TypeScript what the kernel
computes; the audit compares every launch with exactly this text. These are the sources of the marsgrad that made this page; the check of
the inputs compares their digests with those that the run recorded.</p>
${unknown.length > 0 && html`<p>Not among the sources of this version: ${unknown.join(', ')}.</p>`}
<h3>Kernels</h3>
${known.map(kernelEntry)}
<h3>Operations, optimisers and projections that launch them</h3>
${files.map(
  (
    path,
  ) => html`<div class="source" id="${fileId(path)}">${disclosure(html`<code>${path}</code>`, highlighted(sourceFiles.get(path)!), path)}</div>
`,
)}`,
  );
}
