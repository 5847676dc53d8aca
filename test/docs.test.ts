/** The documents quote the code: every fenced block that begins with `// path` stands in that file, word for word. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const documents = [
  'README.md',
  ...readdirSync(`${root}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

interface Quotation {
  readonly path: string;
  /** Pieces between lines that hold only an ellipsis. */
  readonly pieces: readonly string[];
}

function quotationsIn(document: string): Quotation[] {
  const text = readFileSync(root + document, 'utf8');
  return [...text.matchAll(/^```\w+\n\/\/ (\S+\.\w+)\n([\s\S]*?)^```$/gm)].map(([, path, body]) => ({
    path: path!,
    pieces: body!.split(/^…\n/m).map((piece) => piece.trimEnd()),
  }));
}

describe('quotations from the code stand there', () => {
  for (const document of documents) {
    for (const [i, { path, pieces }] of quotationsIn(document).entries()) {
      test(`${document} #${i + 1}: ${path}`, () => {
        const source = readFileSync(root + path, 'utf8');
        for (const piece of pieces) expect(source).toContain(piece);
      });
    }
  }
  test('and there are some', () => {
    expect(quotationsIn('docs/add-an-op.md').length).toBeGreaterThan(5);
  });
});

describe('every file that a document names exists', () => {
  for (const document of documents) {
    test(document, () => {
      const text = readFileSync(root + document, 'utf8');
      const named = [...text.matchAll(/`((?:src|shaders|test|docs|bench|pretrained)\/[\w./-]*)`/g)].map(
        ([, path]) => path!,
      );
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)\)/g)].map(([, path]) =>
        document.startsWith('docs/') ? `docs/${path}` : path!,
      );
      expect([...named, ...links].filter((path) => !existsSync(root + path))).toEqual([]);
    });
  }
});
