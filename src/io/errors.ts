/** A weight file that cannot be read or written. The message is one line: `<file>: <what is wrong and what to do>`. */
export class WeightFileError extends Error {
  readonly source: string;

  constructor(source: string, problem: string) {
    super(`${source}: ${problem}`);
    this.name = 'WeightFileError';
    this.source = source;
  }
}

const LONGEST_QUOTE = 120;

/** A string out of a file, safe to show in one line: control characters escaped, long ones cut, in single quotes. */
export function quote(text: string): string {
  const clipped = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
  // JSON escapes C0 controls and lone surrogates; C1 controls and the line separators remain.
  const escaped = JSON.stringify(clipped).slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\');
  return `'${escaped.replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}'`;
}

/** A shape (or strides) out of a file, cut when it is absurdly long. */
export function showShape(shape: readonly unknown[]): string {
  return shape.length <= 16 ? `[${shape.join(', ')}]` : `[${shape.slice(0, 16).join(', ')}, … ${shape.length} sizes]`;
}
