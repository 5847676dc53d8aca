import fc from 'fast-check';
import { eight } from '../../../src/kernels/contract.ts';
import { fill, stridedCopy } from '../../../src/kernels/copy.ts';
import { describeCases } from '../case.ts';
import { between, count } from './shapes.ts';

interface Layout {
  readonly offset: number;
  readonly strides: number[];
}

/**
 * A layout that gives every element its own place: axes in some order, with gaps, and some of them backwards. `repeated` axes
 * have stride 0 instead.
 */
function layout(shape: readonly number[], mayRepeat: boolean): fc.Arbitrary<Layout> {
  const rank = shape.length;
  const perAxis = <T>(of: fc.Arbitrary<T>) => fc.array(of, { minLength: rank, maxLength: rank });
  return fc
    .record({
      order: fc.shuffledSubarray([...shape.keys()], { minLength: rank, maxLength: rank }),
      gaps: perAxis(between(1, 2)),
      backwards: perAxis(fc.boolean()),
      repeated: perAxis(mayRepeat ? fc.boolean() : fc.constant(false)),
      start: between(0, 9),
    })
    .map(({ order, gaps, backwards, repeated, start }) => {
      const strides = new Array<number>(rank).fill(0);
      let offset = start;
      let next = 1;
      for (const k of order) {
        if (repeated[k]) continue;
        const stride = next * gaps[k]!;
        next = stride * Math.max(1, shape[k]!);
        strides[k] = backwards[k] ? -stride : stride;
        if (backwards[k]) offset += stride * Math.max(0, shape[k]! - 1);
      }
      return { offset, strides };
    });
}

const strided = fc
  .array(fc.oneof({ weight: 9, arbitrary: between(1, 5) }, { weight: 1, arbitrary: fc.constant(0) }), { maxLength: 6 })
  .chain((shape) => fc.tuple(fc.constant(shape), layout(shape, true), layout(shape, false)))
  .map(([shape, x, out]) => ({
    count: shape.reduce((product, size) => product * size, 1),
    rank: shape.length,
    xOffset: x.offset,
    outOffset: out.offset,
    shape: eight(shape, 1),
    xStrides: eight(x.strides),
    outStrides: eight(out.strides),
  }));

export const copyCases = [
  describeCases(fill, {
    params: () => fc.record({ count, value: fc.constantFrom(0, 1, -1.5, 3.1e-7, -2.5e30) }),
    inputs: () => ({}),
  }),
  describeCases(stridedCopy, {
    params: () => strided,
    inputs: (data, sizes) => ({ x: data.signed(sizes.x, 0, 9), out: data.signed(sizes.out, 0, 9) }),
    chosen: [
      // A transpose of (300, 170), and (8, 3, 9, 7) copied into channels 2 … 4 of (8, 6, 9, 7).
      [
        {},
        {
          count: 51_000,
          rank: 2,
          xOffset: 0,
          outOffset: 0,
          shape: eight([170, 300], 1),
          xStrides: eight([1, 170]),
          outStrides: eight([300, 1]),
        },
      ],
      [
        {},
        {
          count: 1512,
          rank: 3,
          xOffset: 0,
          outOffset: 126,
          shape: eight([8, 3, 63], 1),
          xStrides: eight([189, 63, 1]),
          outStrides: eight([378, 63, 1]),
        },
      ],
    ],
  }),
];
