/**
 * What learns how far a tensor may move from its anchor (see src/regularizers/ftp.ts, tpgm.ts and spd.ts): a row of every tensor at a
 * time where it touches weights, a tensor at a time where it decides. Rows are those of rows.ts; those of a tensor follow each other.
 */
import { defineKernel } from './contract.ts';

export const rowDots = defineKernel({
  name: 'rowDots',
  summary: 'dots[r] = Σ g·(w − w⁰) over row r',
  constants: {},
  params: { count: 'u32', rowCount: 'u32' },
  buffers: {
    weights: { type: 'f32', access: 'read' },
    anchors: { type: 'f32', access: 'read' },
    gradients: { type: 'f32', access: 'read' },
    rows: { type: 'i32', access: 'read' },
    dots: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  sizes: ({ count, rowCount }) => ({
    weights: count,
    anchors: count,
    gradients: count,
    rows: 2 * rowCount,
    dots: rowCount,
  }),
  flops: ({ count }) => 3 * count,
  reference({ weights, anchors, gradients, rows, dots }, { rowCount }) {
    for (let r = 0; r < rowCount; r++) {
      const start = rows[2 * r]!;
      dots[r] = 0;
      for (let i = start; i < start + rows[2 * r + 1]!; i++) dots[r]! += gradients[i]! * (weights[i]! - anchors[i]!);
    }
  },
});

/**
 * One step of Adam on the radius γ of every tensor, from dL/dγ = Σ_r dots[r]/norm[r], the derivative of w⁰ + min(1, γ/norm)·(w − w⁰):
 *
 *   ftp     over all rows, with the dots and norms of the step before; a positive derivative is scaled by `anneal`. On the first step γ = least
 *   tpgm    over the rows with norm > γ, with the norms of now
 *   start   (of tpgm) γ = ½·min norm, moments zero; dots are not looked at
 *
 * then γ is clipped to [least, max norm]. `state` holds (γ, mean, square) per tensor; `radii` receives γ for every row, and `previous`
 * the norms plus `least`. `correction` 1 and 2 are 1 − βᵗ.
 */
export const learnRadii = defineKernel({
  name: 'learnRadii',
  summary: 'γ ← clip(γ − rate·Adam(Σ_r dots[r]/norm[r]), least, max norm) per tensor',
  constants: { mode: ['ftp', 'tpgm', 'start'] },
  params: {
    rowCount: 'u32',
    tensorCount: 'u32',
    isFirstStep: 'u32',
    rate: 'f32',
    beta1: 'f32',
    beta2: 'f32',
    share1: 'f32',
    share2: 'f32',
    correction1: 'f32',
    correction2: 'f32',
    anneal: 'f32',
    least: 'f32',
  },
  buffers: {
    dots: { type: 'f32', access: 'read' },
    norms: { type: 'f32', access: 'read' },
    tensors: { type: 'i32', access: 'read' },
    previous: { type: 'f32', access: 'readwrite' },
    state: { type: 'f32', access: 'readwrite' },
    radii: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  sizes: ({ rowCount, tensorCount }) => ({
    dots: rowCount,
    norms: rowCount,
    tensors: 2 * tensorCount,
    previous: rowCount,
    state: 3 * tensorCount,
    radii: rowCount,
  }),
  flops: ({ rowCount }) => 4 * rowCount,
  reference({ dots, norms, tensors, previous, state, radii }, p, { mode }) {
    for (let l = 0; l < p.tensorCount; l++) {
      const first = tensors[2 * l]!;
      const end = first + tensors[2 * l + 1]!;
      let [radius, mean, square] = [state[3 * l]!, state[3 * l + 1]!, state[3 * l + 2]!];
      let [gradient, largest, smallest] = [0, 0, Number.POSITIVE_INFINITY];
      for (let r = first; r < end; r++) {
        if (mode === 'ftp') gradient += dots[r]! / previous[r]!;
        else if (norms[r]! > radius) gradient += dots[r]! / norms[r]!;
        largest = Math.max(largest, norms[r]!);
        smallest = Math.min(smallest, norms[r]!);
      }
      if (mode === 'start') {
        [radius, mean, square] = [Math.min(Math.max(smallest / 2, p.least), Math.max(largest, p.least)), 0, 0];
      } else if (mode === 'ftp' && p.isFirstStep) {
        [radius, mean, square] = [p.least, 0, 0];
      } else {
        if (mode === 'ftp' && gradient > 0) gradient *= p.anneal;
        mean = p.beta1 * mean + p.share1 * gradient;
        square = p.beta2 * square + p.share2 * gradient * gradient;
        const step = (p.rate * (mean / p.correction1)) / (Math.sqrt(square / p.correction2) + p.least);
        radius = Math.max(Math.min(radius - step, largest), p.least);
      }
      state.set([radius, mean, square], 3 * l);
      for (let r = first; r < end; r++) {
        radii[r] = radius;
        previous[r] = norms[r]! + p.least;
      }
    }
  },
});

/**
 * Selective projection decay: how much of its displacement each tensor keeps. Where the gradient and the displacement before the step
 * agree (Σ dots > 0: the step goes back), 1 − strength·r with r = clip((‖after‖ − ‖before‖)/‖after‖, 0, 1); else 1.
 * `before` and `after` are the sums of squares of the rows' displacements.
 */
export const selectiveDecay = defineKernel({
  name: 'selectiveDecay',
  summary: 'kept[r] = Σ dots > 0 ? 1 − strength·clip(1 − ‖before‖/‖after‖, 0, 1) : 1, over the tensor of row r',
  constants: {},
  params: { rowCount: 'u32', tensorCount: 'u32', strength: 'f32' },
  buffers: {
    dots: { type: 'f32', access: 'read' },
    before: { type: 'f32', access: 'read' },
    after: { type: 'f32', access: 'read' },
    tensors: { type: 'i32', access: 'read' },
    kept: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  sizes: ({ rowCount, tensorCount }) => ({
    dots: rowCount,
    before: rowCount,
    after: rowCount,
    tensors: 2 * tensorCount,
    kept: rowCount,
  }),
  flops: ({ rowCount }) => 3 * rowCount,
  reference({ dots, before, after, tensors, kept }, { tensorCount, strength }) {
    for (let l = 0; l < tensorCount; l++) {
      const [first, rows] = [tensors[2 * l]!, tensors[2 * l + 1]!];
      const total = (values: Float64Array) => values.subarray(first, first + rows).reduce((sum, x) => sum + x, 0);
      const [old, now] = [Math.sqrt(total(before)), Math.sqrt(total(after))];
      const ratio = now > 0 ? Math.min(Math.max((now - old) / now, 0), 1) : 0;
      kept.fill(total(dots) > 0 ? 1 - strength * ratio : 1, first, first + rows);
    }
  },
});
