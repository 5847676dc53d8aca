/** What feeds what, and where it stands. */
import { describe, expect, it } from 'vitest';
import type { Phase, RecordedLaunch, RecordedRange } from '../../../src/audit/format.ts';
import { BOX_HEIGHT, BOX_WIDTH, draw, flowsOf, tapeOf } from '../../../src/report/audit/tape.ts';

const range = (text: string): RecordedRange => {
  const [, access, buffer, offset, length, name] = text.match(/^(\w+) (\d+)\[(\d+)\+(\d+)\] ?(.*)$/)!;
  return {
    ...{ access: access as RecordedRange['access'], buffer: Number(buffer), offset: Number(offset) },
    ...{ length: Number(length), shape: [Number(length)], name: name || null },
  };
};
const launch = (index: number, phase: Phase, node: number | null, ...ranges: string[]): RecordedLaunch => ({
  ...{ index, kernel: `k${index}`, constants: {}, params: {}, phase, module: `m${node}`, operation: null, node },
  buffers: Object.fromEntries(ranges.map((text, i) => [`b${i}`, range(text)])),
});
const pairs = (launches: RecordedLaunch[]) => flowsOf(launches).map(({ from, to, isState }) => [from, to, isState]);

describe('flows', () => {
  it('go from the last writer to the reader', () => {
    const launches = [
      launch(0, 'forward', 0, 'write 0[0+8]'),
      launch(1, 'forward', 1, 'write 0[0+8]'),
      launch(2, 'forward', 2, 'read 0[0+8]', 'write 1[0+8]'),
    ];
    expect(pairs(launches)).toEqual([[1, 2, false]]);
  });

  it('go from all who wrote a part, and not beyond one who wrote the whole', () => {
    const launches = [
      launch(0, 'prepare', null, 'write 0[0+8] gradients'),
      launch(1, 'backward', 0, 'readwrite 0[0+4] gradient of a'),
      launch(2, 'backward', 0, 'readwrite 0[4+4] gradient of b'),
      launch(3, 'update', null, 'read 0[0+8] gradients', 'write 1[0+8]'),
      launch(4, 'update', null, 'readwrite 1[0+8]'),
    ];
    expect(pairs(launches)).toEqual([
      ...[
        [0, 1, true],
        [0, 2, true],
        [2, 3, true],
        [1, 3, true],
        [0, 3, true],
        [3, 4, false],
      ],
    ]);
  });

  it('come from nowhere where the data came from outside', () => {
    expect(flowsOf([launch(0, 'forward', 0, 'read 5[0+2]', 'write 6[0+2]')])).toEqual([]);
  });
});

describe('the drawing', () => {
  const launches = [
    launch(0, 'prepare', null),
    launch(1, 'forward', 0),
    launch(2, 'forward', 1),
    launch(3, 'forward', 1),
    launch(4, 'forward', 1),
    launch(5, 'backward', 1),
    launch(6, 'backward', null),
    launch(7, 'backward', 0),
    launch(8, 'update', null),
  ];

  it('sets the launches of an operation in one row, and what belongs to none with what ran before it', () => {
    const { prepare, rows, update } = tapeOf(launches);
    const indices = (list: readonly RecordedLaunch[]) => list.map(({ index }) => index);
    expect([indices(prepare), indices(update)]).toEqual([[0], [8]]);
    expect(rows.map(({ forward, backward }) => [indices(forward), indices(backward)])).toEqual([
      [[1], [7]],
      [
        [2, 3, 4],
        [5, 6],
      ],
    ]);
  });

  it('places each once, none over another, forward above what follows it, backward beside its forward', () => {
    const { boxes, width, height } = draw(tapeOf(launches));
    expect(boxes.map(({ launch: { index } }) => index)).toEqual(launches.map(({ index }) => index));
    for (const [i, a] of boxes.entries()) {
      expect(a.x + BOX_WIDTH).toBeLessThanOrEqual(width);
      expect(a.y + BOX_HEIGHT).toBeLessThanOrEqual(height);
      for (const b of boxes.slice(i + 1))
        expect(Math.abs(a.x - b.x) >= BOX_WIDTH || Math.abs(a.y - b.y) >= BOX_HEIGHT, `${i}`).toBe(true);
    }
    const y = (index: number) => boxes[index]!.y;
    expect(y(1)).toBeLessThan(y(2));
    expect(y(7)).toBe(y(1));
    expect(y(5)).toBe(y(2));
    expect(y(8)).toBeGreaterThan(y(4));
  });

  it('has room for a backward pass without a forward one', () => {
    expect(draw(tapeOf([launch(0, 'backward', 7)])).boxes).toHaveLength(1);
  });
});
