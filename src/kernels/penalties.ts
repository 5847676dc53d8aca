/** Gradients of what pulls weights towards their anchors, over the rows of a whole arena in one launch (see rows.ts). */
import { defineKernel } from './contract.ts';

/**
 * The gradient of ½·factor·Σ(w − w⁰)² (`difference`) or of factor·Σ|w − w⁰| (`sign`; 0 where w = w⁰) over every row, added to
 * `gradients`. What belongs to no row keeps its bits.
 */
export const rowPenaltyGrad = defineKernel({
  name: 'rowPenaltyGrad',
  summary: 'g ← g + factor[r]·(w − w⁰), or g + factor[r]·sign(w − w⁰), over row r',
  constants: { form: ['difference', 'sign'] },
  params: { count: 'u32', rowCount: 'u32' },
  buffers: {
    weights: { type: 'f32', access: 'read' },
    anchors: { type: 'f32', access: 'read' },
    rows: { type: 'i32', access: 'read' },
    factors: { type: 'f32', access: 'read' },
    gradients: { type: 'f32', access: 'readwrite' },
  },
  tolerance: 1e-6,
  sizes: ({ count, rowCount }) => ({
    weights: count,
    anchors: count,
    rows: 2 * rowCount,
    factors: rowCount,
    gradients: count,
  }),
  flops: ({ count }) => 3 * count,
  reference({ weights, anchors, rows, factors, gradients }, { rowCount }, { form }) {
    for (let r = 0; r < rowCount; r++) {
      const start = rows[2 * r]!;
      for (let i = start; i < start + rows[2 * r + 1]!; i++) {
        const moved = weights[i]! - anchors[i]!;
        gradients[i]! += factors[r]! * (form === 'difference' ? moved : Math.sign(moved));
      }
    }
  },
});
