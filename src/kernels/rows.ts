/**
 * The rows of all constrained weights of a model, in one launch: how far each moved from its anchor, and the projection back
 * onto the ball (Gouk, Hospedales & Pontil, ICLR 2021). A row is what feeds one output unit (dense) or one output channel
 * (convolution); a table lists (first element, length) of each in the weight arena. Anchors are the pre-trained weights
 * W⁰, or zero for the classifier.
 */
import { defineKernel } from './contract.ts';

export const rowDistances = defineKernel({
  name: 'rowDistances',
  summary: 'l1[r] = Σ |w − w⁰|, squared[r] = Σ (w − w⁰)², over row r',
  constants: {},
  params: { count: 'u32', rowCount: 'u32' },
  buffers: {
    weights: { type: 'f32', access: 'read' },
    anchors: { type: 'f32', access: 'read' },
    rows: { type: 'i32', access: 'read' },
    l1: { type: 'f32', access: 'write' },
    squared: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  sizes: ({ count, rowCount }) => ({
    weights: count,
    anchors: count,
    rows: 2 * rowCount,
    l1: rowCount,
    squared: rowCount,
  }),
  flops: ({ count }) => 4 * count,
  reference({ weights, anchors, rows, l1, squared }, { rowCount }) {
    for (let r = 0; r < rowCount; r++) {
      const start = rows[2 * r]!;
      l1[r] = 0;
      squared[r] = 0;
      for (let i = start; i < start + rows[2 * r + 1]!; i++) {
        const moved = weights[i]! - anchors[i]!;
        l1[r]! += Math.abs(moved);
        squared[r]! += moved * moved;
      }
    }
  },
});

/**
 * What every row of a layer is scaled by where the layer is scaled as a whole: its MARS norm (the largest of the rows' L1 norms) or
 * its Frobenius norm (from the rows' sums of squares). `layers` lists (first row, rows) of each; together they are all rows.
 */
export const layerNorms = defineKernel({
  name: 'layerNorms',
  summary: "norms[r] = max values, or √Σ values, over the rows of r's layer",
  constants: { norm: ['mars', 'frobenius'] },
  params: { rowCount: 'u32', layerCount: 'u32' },
  buffers: {
    values: { type: 'f32', access: 'read' },
    layers: { type: 'i32', access: 'read' },
    norms: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  sizes: ({ rowCount, layerCount }) => ({ values: rowCount, layers: 2 * layerCount, norms: rowCount }),
  flops: ({ rowCount }) => rowCount,
  reference({ values, layers, norms }, { layerCount }, { norm }) {
    for (let l = 0; l < layerCount; l++) {
      const first = layers[2 * l]!;
      const own = values.subarray(first, first + layers[2 * l + 1]!);
      const joined = own.reduce((all, value) => (norm === 'mars' ? Math.max(all, value) : all + value), 0);
      norms.fill(norm === 'mars' ? joined : Math.sqrt(joined), first, first + own.length);
    }
  },
});

/**
 * Radial projection, row by row: t ← t / max(1, norm/radius) with t = w − w⁰. `norms` holds the row's own L1 norm (row-radial
 * MARS) or that of its whole layer (matrix-radial MARS, Frobenius). What is inside its ball keeps its bits.
 */
export const projectRows = defineKernel({
  name: 'projectRows',
  summary: 'w ← w⁰ + (w − w⁰)·min(1, radius[r]/norm[r]) over row r',
  constants: {},
  params: { count: 'u32', rowCount: 'u32' },
  buffers: {
    weights: { type: 'f32', access: 'readwrite' },
    anchors: { type: 'f32', access: 'read' },
    rows: { type: 'i32', access: 'read' },
    norms: { type: 'f32', access: 'read' },
    radii: { type: 'f32', access: 'read' },
  },
  tolerance: 1e-6,
  sizes: ({ count, rowCount }) => ({
    weights: count,
    anchors: count,
    rows: 2 * rowCount,
    norms: rowCount,
    radii: rowCount,
  }),
  flops: ({ count }) => 3 * count,
  reference({ weights, anchors, rows, norms, radii }, { rowCount }) {
    for (let r = 0; r < rowCount; r++) {
      if (norms[r]! <= radii[r]!) continue;
      const scale = radii[r]! / norms[r]!;
      const start = rows[2 * r]!;
      for (let i = start; i < start + rows[2 * r + 1]!; i++) {
        weights[i] = anchors[i]! + (weights[i]! - anchors[i]!) * scale;
      }
    }
  },
});

/**
 * The Euclidean projection of each row t = w − w⁰ onto the L1 ball: t ← sign(t)·max(|t| − θ, 0) with θ such that Σ|t| = radius
 * (Duchi, Shalev-Shwartz, Singer & Chandra 2008, figure 1). θ is found without sorting by Newton's method on Σ max(|t| − θ, 0) = radius,
 * which is Michelot's iteration (1986): from θ = 0, θ ← θ + δ with δ = (Σ(|t| − θ) − radius)/n over the n elements with |t| > θ, until none
 * drops out. The sum is convex in θ, so δ ≥ 0: each round drops an element or is the last; at most as many rounds as elements,
 * about ten in practice. The last δ is subtracted after θ and not with it: (|t| − θ) − δ keeps what θ's rounding would lose n times.
 */
export const projectRowsL1 = defineKernel({
  name: 'projectRowsL1',
  summary: 'w ← w⁰ + sign(w − w⁰)·max(|w − w⁰| − θ[r], 0) over row r, Σ|w − w⁰| = radius[r]',
  constants: {},
  params: { count: 'u32', rowCount: 'u32' },
  buffers: {
    weights: { type: 'f32', access: 'readwrite' },
    anchors: { type: 'f32', access: 'read' },
    rows: { type: 'i32', access: 'read' },
    norms: { type: 'f32', access: 'read' },
    radii: { type: 'f32', access: 'read' },
  },
  tolerance: 1e-5,
  sizes: ({ count, rowCount }) => ({
    weights: count,
    anchors: count,
    rows: 2 * rowCount,
    norms: rowCount,
    radii: rowCount,
  }),
  flops: ({ count }) => 30 * count,
  reference({ weights, anchors, rows, norms, radii }, { rowCount }) {
    for (let r = 0; r < rowCount; r++) {
      if (norms[r]! <= radii[r]!) continue;
      const start = rows[2 * r]!;
      const end = start + rows[2 * r + 1]!;
      const magnitudes = Array.from(weights.subarray(start, end), (w, i) => Math.abs(w - anchors[start + i]!));
      let theta = 0;
      let delta = 0;
      for (let before = Number.POSITIVE_INFINITY; ; ) {
        const excess = magnitudes.map((magnitude) => magnitude - theta).filter((value) => value > 0);
        delta = excess.length === 0 ? 0 : (excess.reduce((sum, value) => sum + value, 0) - radii[r]!) / excess.length;
        if (excess.length === 0 || excess.length >= before) break;
        before = excess.length;
        theta += Math.max(0, delta);
      }
      for (let i = start; i < end; i++) {
        const moved = weights[i]! - anchors[i]!;
        weights[i] = anchors[i]! + Math.sign(moved) * Math.max(Math.abs(moved) - theta - delta, 0);
      }
    }
  },
});

const CHANNEL_PARAMS = { count: 'u32', varianceCount: 'u32', channels: 'u32', epsilon: 'f32' } as const;

/**
 * BatchNorm in evaluation is a diagonal matrix γ/√(σ² + ε), whose rows have one entry each. `table` lists (place of γ in the
 * weight arena, place of the running variance in the buffer arena) per channel; `anchorVariances` holds the pre-trained σ²
 * where `variances` holds the current one.
 */
export const batchNormDistances = defineKernel({
  name: 'batchNormDistances',
  summary: 'distance[c] = |γ/√(σ² + ε) − γ⁰/√(σ₀² + ε)|',
  constants: {},
  params: CHANNEL_PARAMS,
  buffers: {
    weights: { type: 'f32', access: 'read' },
    anchors: { type: 'f32', access: 'read' },
    variances: { type: 'f32', access: 'read' },
    anchorVariances: { type: 'f32', access: 'read' },
    table: { type: 'i32', access: 'read' },
    distances: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  /** Of a channel that hardly moved, the difference of two numbers that are nearly equal. */
  scale({ anchors, anchorVariances, table }, { channels, epsilon }) {
    let squares = 0;
    for (let c = 0; c < channels; c++)
      squares += anchors[table[2 * c]!]! ** 2 / (anchorVariances[table[2 * c + 1]!]! + epsilon);
    return Math.sqrt(squares);
  },
  sizes: ({ count, varianceCount, channels }) => ({
    weights: count,
    anchors: count,
    variances: varianceCount,
    anchorVariances: varianceCount,
    table: 2 * channels,
    distances: channels,
  }),
  flops: ({ channels }) => 8 * channels,
  reference({ weights, anchors, variances, anchorVariances, table, distances }, { channels, epsilon }) {
    for (let c = 0; c < channels; c++) {
      const weight = table[2 * c]!;
      const variance = table[2 * c + 1]!;
      const diagonal = weights[weight]! / Math.sqrt(variances[variance]! + epsilon);
      const anchor = anchors[weight]! / Math.sqrt(anchorVariances[variance]! + epsilon);
      distances[c] = Math.abs(diagonal - anchor);
    }
  },
});

/** A channel inside its ball keeps its bits. */
export const projectBatchNorm = defineKernel({
  name: 'projectBatchNorm',
  summary: 'γ ← (δ⁰ + clip(δ − δ⁰, ±radius))·√(σ² + ε) with δ = γ/√(σ² + ε)',
  constants: {},
  params: CHANNEL_PARAMS,
  buffers: {
    weights: { type: 'f32', access: 'readwrite' },
    anchors: { type: 'f32', access: 'read' },
    variances: { type: 'f32', access: 'read' },
    anchorVariances: { type: 'f32', access: 'read' },
    table: { type: 'i32', access: 'read' },
    radii: { type: 'f32', access: 'read' },
  },
  tolerance: 1e-6,
  sizes: ({ count, varianceCount, channels }) => ({
    weights: count,
    anchors: count,
    variances: varianceCount,
    anchorVariances: varianceCount,
    table: 2 * channels,
    radii: channels,
  }),
  flops: ({ channels }) => 10 * channels,
  reference({ weights, anchors, variances, anchorVariances, table, radii }, { channels, epsilon }) {
    for (let c = 0; c < channels; c++) {
      const weight = table[2 * c]!;
      const variance = table[2 * c + 1]!;
      const deviation = Math.sqrt(variances[variance]! + epsilon);
      const anchor = anchors[weight]! / Math.sqrt(anchorVariances[variance]! + epsilon);
      const moved = weights[weight]! / deviation - anchor;
      if (Math.abs(moved) > radii[c]!) weights[weight] = (anchor + Math.sign(moved) * radii[c]!) * deviation;
    }
  },
});
