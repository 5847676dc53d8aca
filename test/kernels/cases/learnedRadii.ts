import fc from 'fast-check';
import { learnRadii, rowDots, selectiveDecay } from '../../../src/kernels/learnedRadii.ts';
import { describeCases } from '../case.ts';
import { between } from './shapes.ts';

const tensorsOfRows = fc
  .record({ tensorCount: between(1, 10), rows: fc.constantFrom(1, 7, 64, 130) })
  .map(({ tensorCount, rows }) => ({ tensorCount, rowCount: tensorCount * rows }));

const spans = ({ tensorCount, rowCount }: { tensorCount: number; rowCount: number }) =>
  Int32Array.from({ length: 2 * tensorCount }, (_, i) =>
    i % 2 === 0 ? ((i / 2) * rowCount) / tensorCount : rowCount / tensorCount,
  );

export const learnedRadiiCases = [
  describeCases(rowDots, {
    params: () =>
      fc
        .record({ rowCount: between(1, 40), length: fc.constantFrom(1, 9, 65, 700) })
        .map(({ rowCount, length }) => ({ rowCount, count: rowCount * length })),
    inputs: (data, sizes, { rowCount, count }) => ({
      weights: data.uniform(sizes.weights, 0.5, 2),
      anchors: data.uniform(sizes.anchors, -1, 0),
      gradients: data.summands(sizes.gradients),
      rows: Int32Array.from({ length: 2 * rowCount }, (_, i) =>
        i % 2 === 0 ? (i / 2) * (count / rowCount) : count / rowCount,
      ),
    }),
    chosen: [[{}, { rowCount: 3, count: 3 * 20_000 }]],
  }),
  describeCases(learnRadii, {
    params: () =>
      fc
        .record({
          table: tensorsOfRows,
          isFirstStep: between(0, 1),
          anneal: fc.constantFrom(0, 0.5, 1),
          correction1: fc.constantFrom(0.19, 1),
          correction2: fc.constantFrom(0.002, 1),
        })
        .map(({ table, ...rest }) => ({
          ...table,
          ...rest,
          rate: 0.01,
          beta1: 0.9,
          beta2: 0.999,
          share1: 0.1,
          share2: 0.001,
          least: 1e-8,
        })),
    // All slopes of a launch have one sign, so that no sum of them cancels.
    inputs: (data, sizes, params) => {
      const sign = data.pick([-1, 1]);
      return {
        dots: data.uniform(sizes.dots, 0.5, 2).map((dot) => sign * dot),
        norms: data.uniform(sizes.norms, 0.5, 2),
        tensors: spans(params),
        previous: data.uniform(sizes.previous, 0.5, 2),
        state: data.floats(sizes.state, (i) =>
          i % 3 === 0 ? 0.1 + 2 * data.next() : data.next() * (i % 3 === 1 ? sign : 1),
        ),
      };
    },
  }),
  describeCases(selectiveDecay, {
    params: () =>
      fc.tuple(tensorsOfRows, fc.constantFrom(0, 0.5, 1)).map(([table, strength]) => ({ ...table, strength })),
    inputs: (data, sizes, params) => {
      const sign = data.pick([-1, 1]);
      return {
        dots: data.uniform(sizes.dots, 0.5, 2).map((dot) => sign * dot),
        before: data.uniform(sizes.before, 0, 1),
        after: data.uniform(sizes.after, data.pick([0, 1.5]), 2),
        tensors: spans(params),
      };
    },
  }),
];
