import { describe, expect, it } from 'vitest';
import { formatSeconds, formatTable, Output } from '../../src/cli/output.ts';

function capture(isTTY: boolean) {
  const written = { stdout: '', stderr: '' };
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY,
    columns: 120,
    write: (text: string) => {
      written[name] += text;
      return true;
    },
    on: () => {},
    removeListener: () => {},
  });
  const streams = { stdout: stream('stdout'), stderr: stream('stderr') } as unknown as Pick<
    NodeJS.Process,
    'stdout' | 'stderr'
  >;
  return { written, streams };
}

describe('Output', () => {
  it('writes objects with --json only, and results without it only', () => {
    for (const isJson of [true, false]) {
      const { written, streams } = capture(false);
      const output = new Output(isJson, streams);
      output.record({ a: 1 });
      output.result('done');
      output.message('working');
      expect(written).toEqual({ stdout: isJson ? '{"a":1}\n' : 'done\n', stderr: 'working\n' });
    }
  });

  it('draws a bar with speed, details and remaining time on a terminal', () => {
    const { written, streams } = capture(true);
    const progress = new Output(false, streams).progress('train', 200, 0);
    progress.update(50, ['loss 1.5']);
    progress.stop();
    expect(written.stderr).toMatch(/train .*25 % · \d+ images\/s · loss 1\.5 · ETA \d+:\d\d/);
    expect(written.stdout).toBe('');
  });
});

describe('formatSeconds', () => {
  it.each([
    [0, '0:00'],
    [65, '1:05'],
    [3599.6, '1:00:00'],
    [45296, '12:34:56'],
    [Number.POSITIVE_INFINITY, '–'],
    [Number.NaN, '–'],
  ])('%d', (seconds, text) => expect(formatSeconds(seconds)).toBe(text));
});

describe('formatTable', () => {
  it('aligns the first column left and numbers right', () => {
    expect(
      formatTable([
        ['layer', 'mars'],
        ['conv', '12.5'],
        ['a', '3'],
      ]),
    ).toBe('layer  mars\nconv   12.5\na         3');
  });
});
