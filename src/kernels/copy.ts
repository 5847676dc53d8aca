/** Filling and moving data. */
import { defineKernel } from './contract.ts';

export const fill = defineKernel({
  name: 'fill',
  summary: 'out[i] = value',
  constants: {},
  params: { count: 'u32', value: 'f32' },
  buffers: { out: { type: 'f32', access: 'write' } },
  tolerance: 0,
  sizes: ({ count }) => ({ out: count }),
  flops: () => 0,
  reference({ out }, { count, value }) {
    out.fill(value, 0, count);
  },
});

/**
 * Moves an n-dimensional block between two strided layouts: transposes, slices, concatenations, padding, broadcasting.
 * Element (i₀, i₁, …) of the block goes from x[xOffset + Σ iₖ·xStrides[k]] to out[outOffset + Σ iₖ·outStrides[k]];
 * no two elements may share a place in out. Elements of out outside the block keep their value.
 */
export const stridedCopy = defineKernel({
  name: 'stridedCopy',
  summary: 'out[outOffset + i·outStrides] = x[xOffset + i·xStrides]',
  constants: {},
  params: {
    count: 'u32',
    rank: 'u32',
    xOffset: 'u32',
    outOffset: 'u32',
    shape: 'u32x8',
    xStrides: 'i32x8',
    outStrides: 'i32x8',
  },
  buffers: { x: { type: 'f32', access: 'read' }, out: { type: 'f32', access: 'readwrite' } },
  tolerance: 0,
  sizes({ count, rank, xOffset, outOffset, shape, xStrides, outStrides }) {
    const extent = (offset: number, strides: readonly number[]) => {
      if (count === 0) return 0;
      let last = offset;
      for (let k = 0; k < rank; k++) last += (shape[k]! - 1) * Math.max(0, strides[k]!);
      return last + 1;
    };
    return { x: extent(xOffset, xStrides), out: extent(outOffset, outStrides) };
  },
  flops: () => 0,
  reference({ x, out }, { count, rank, xOffset, outOffset, shape, xStrides, outStrides }) {
    for (let i = 0; i < count; i++) {
      let from = xOffset;
      let to = outOffset;
      for (let k = rank - 1, rest = i; k >= 0; k--) {
        const index = rest % shape[k]!;
        rest = (rest - index) / shape[k]!;
        from += index * xStrides[k]!;
        to += index * outStrides[k]!;
      }
      out[to] = x[from]!;
    }
  },
});
