/**
 * Two-dimensional convolution (cross-correlation, as every framework calls it) and its two backward passes.
 *
 *   x (batch, inChannels, inHeight, inWidth), w (outChannels, inChannels/groups, kernelHeight, kernelWidth),
 *   y (batch, outChannels, outHeight, outWidth)
 *
 *   forward        y[n,o,i,j]   = Σ_{c,p,q} x[n, c, i·s + p·d − pad, j·s + q·d − pad] · w[o, c, p, q]
 *   input gradient dx[n,c,h,w]  = Σ over the (o,p,q,i,j) that read x[n,c,h,w] of dy[n,o,i,j] · w[o,c,p,q]
 *   weight gradient dw[o,c,p,q] = Σ_{n,i,j} dy[n,o,i,j] · x[n, c, i·s + p·d − pad, j·s + q·d − pad]
 *
 * All three are linear in each argument, so each is a gradient of the others: gradients of gradients come out for free.
 */
import { defineKernel, type ParamValues } from './contract.ts';

export const CONV2D_PARAMS = {
  batch: 'u32',
  inChannels: 'u32',
  inHeight: 'u32',
  inWidth: 'u32',
  outChannels: 'u32',
  outHeight: 'u32',
  outWidth: 'u32',
  kernelHeight: 'u32',
  kernelWidth: 'u32',
  strideHeight: 'u32',
  strideWidth: 'u32',
  paddingHeight: 'u32',
  paddingWidth: 'u32',
  dilationHeight: 'u32',
  dilationWidth: 'u32',
  groups: 'u32',
} as const;
export type Conv2dParams = ParamValues<typeof CONV2D_PARAMS>;

/** Elements of x, w and y. */
function conv2dSizes(p: Conv2dParams): { x: number; w: number; y: number } {
  return {
    x: p.batch * p.inChannels * p.inHeight * p.inWidth,
    w: p.outChannels * (p.inChannels / p.groups) * p.kernelHeight * p.kernelWidth,
    y: p.batch * p.outChannels * p.outHeight * p.outWidth,
  };
}

function conv2dFlops(p: Conv2dParams): number {
  return 2 * conv2dSizes(p).y * (p.inChannels / p.groups) * p.kernelHeight * p.kernelWidth;
}

/** Calls `visit` with the flat indices of every product x·w that contributes to y (padding contributes nothing). */
function forEachProduct(
  p: Conv2dParams,
  visit: (xAt: number, wAt: number, yAt: number, image: number, row: number) => void,
): void {
  const groupIn = p.inChannels / p.groups;
  const groupOut = p.outChannels / p.groups;
  for (let n = 0; n < p.batch; n++) {
    for (let o = 0; o < p.outChannels; o++) {
      const firstIn = Math.floor(o / groupOut) * groupIn;
      for (let i = 0; i < p.outHeight; i++) {
        for (let j = 0; j < p.outWidth; j++) {
          const yAt = ((n * p.outChannels + o) * p.outHeight + i) * p.outWidth + j;
          for (let c = 0; c < groupIn; c++) {
            for (let kh = 0; kh < p.kernelHeight; kh++) {
              const h = i * p.strideHeight + kh * p.dilationHeight - p.paddingHeight;
              if (h < 0 || h >= p.inHeight) continue;
              for (let kw = 0; kw < p.kernelWidth; kw++) {
                const w = j * p.strideWidth + kw * p.dilationWidth - p.paddingWidth;
                if (w < 0 || w >= p.inWidth) continue;
                const xAt = ((n * p.inChannels + firstIn + c) * p.inHeight + h) * p.inWidth + w;
                const wAt = ((o * groupIn + c) * p.kernelHeight + kh) * p.kernelWidth + kw;
                visit(xAt, wAt, yAt, n, i);
              }
            }
          }
        }
      }
    }
  }
}

export const conv2d = defineKernel({
  name: 'conv2d',
  summary: 'y[n,o,i,j] = Σ x[n, c, i·s + p·d − pad, j·s + q·d − pad]·w[o, c, p, q]',
  constants: {},
  params: CONV2D_PARAMS,
  buffers: {
    x: { type: 'f32', access: 'read' },
    w: { type: 'f32', access: 'read' },
    y: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  sizes: (params) => conv2dSizes(params),
  flops: (params) => conv2dFlops(params),
  reference({ x, w, y }, params) {
    y.fill(0, 0, conv2dSizes(params).y);
    forEachProduct(params, (xAt, wAt, yAt) => {
      y[yAt]! += x[xAt]! * w[wAt]!;
    });
  },
});

export const conv2dInputGrad = defineKernel({
  name: 'conv2dInputGrad',
  summary: 'dx[n,c,h,w] = Σ dy[n,o,i,j]·w[o,c,p,q] over h = i·s + p·d − pad, w = j·s + q·d − pad',
  constants: {},
  params: CONV2D_PARAMS,
  buffers: {
    dy: { type: 'f32', access: 'read' },
    w: { type: 'f32', access: 'read' },
    dx: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  sizes(params) {
    const { x, w, y } = conv2dSizes(params);
    return { dy: y, w, dx: x };
  },
  flops: (params) => conv2dFlops(params),
  reference({ dy, w, dx }, params) {
    dx.fill(0, 0, conv2dSizes(params).x);
    forEachProduct(params, (xAt, wAt, yAt) => {
      dx[xAt]! += dy[yAt]! * w[wAt]!;
    });
  },
});

/**
 * The sum over images and positions is long and the result small, so it is cut into `splits` partial sums that a `reduce`
 * adds in fixed order. The batch·outHeight rows of y (row = n·outHeight + i) are dealt out in blocks of
 * ⌈batch·outHeight / splits⌉; a split past the last row is zero. dw is (splits, outChannels, inChannels/groups, kh, kw).
 */
export const conv2dWeightGrad = defineKernel({
  name: 'conv2dWeightGrad',
  summary: 'dw[s,o,c,p,q] = Σ dy[n,o,i,j]·x[n, c, i·s + p·d − pad, j·s + q·d − pad] over the s-th part of the (n,i)',
  constants: {},
  params: { ...CONV2D_PARAMS, splits: 'u32' },
  buffers: {
    x: { type: 'f32', access: 'read' },
    dy: { type: 'f32', access: 'read' },
    dw: { type: 'f32', access: 'write' },
  },
  tolerance: 1e-5,
  sizes(params) {
    const { x, w, y } = conv2dSizes(params);
    return { x, dy: y, dw: params.splits * w };
  },
  flops: (params) => conv2dFlops(params),
  reference({ x, dy, dw }, params) {
    const weights = conv2dSizes(params).w;
    const rowsPerSplit = Math.ceil((params.batch * params.outHeight) / params.splits);
    dw.fill(0, 0, params.splits * weights);
    forEachProduct(params, (xAt, wAt, yAt, image, row) => {
      const split = Math.floor((image * params.outHeight + row) / rowsPerSplit);
      dw[split * weights + wAt]! += x[xAt]! * dy[yAt]!;
    });
  },
});
