/**
 * Norms of the matrix M that a convolution is: (out·H'·W') rows, (in·H·W) columns, mostly zeros. It is never written out: a kernel element
 * K[o, i, a, b] stands in M once for every output place whose window has its tap (a, b) inside the image, so sums over M are sums
 * over K with counts. With n_a output rows and m_b output columns that read tap (a, b), and S_o[a, b] = Σᵢ K[o, i, a, b]²:
 *
 *   ‖M‖_F²         = Σ_{a,b} n_a·m_b·Σ_o S_o[a, b]          (padding that wraps around: H'·W'·‖K‖_F²)
 *   Σ rows' L2     = Σ_o Σ_{places} √(Σ_{taps inside} S_o[a, b])
 *   max row's L1   ≤ max_o Σ|K_o|                            equal where some window lies inside the image
 */
import type { Conv2dParams } from '../../kernels/conv2d.ts';

export interface ConvolutionNorms {
  /** max over output channels of Σ|K_o|: the MARS norm; of a map that holds a whole window, the ∞-norm of M. */
  readonly mars: number;
  /** ‖M‖_F. */
  readonly frobenius: number;
  /** ‖Mᵀ‖₂,₁: the sum of the L2 norms of M's rows. */
  readonly rowSum: number;
  /** ‖K‖₂,₁ of Graf et al. 2022: Σ_{o,a,b} √(Σᵢ K[o, i, a, b]²). */
  readonly kernelSum: number;
}

/** `kernel`: (out, in/groups, kh, kw), in float64. */
export function convolutionNorms(kernel: ArrayLike<number>, geometry: Conv2dParams): ConvolutionNorms {
  const { outChannels, inChannels, groups, kernelHeight, kernelWidth } = geometry;
  const taps = kernelHeight * kernelWidth;
  const depth = inChannels / groups;
  if (kernel.length !== outChannels * depth * taps)
    throw new RangeError(
      `convolutionNorms: ${kernel.length} values for a kernel of (${outChannels}, ${depth}, ${kernelHeight}, ${kernelWidth})`,
    );
  const windows = windowsOf(geometry);
  const squares = new Float64Array(taps);
  let [mars, squared, rowSum, kernelSum] = [0, 0, 0, 0];
  for (let o = 0; o < outChannels; o++) {
    squares.fill(0);
    let l1 = 0;
    for (let k = 0; k < depth * taps; k++) {
      const value = kernel[o * depth * taps + k]!;
      l1 += Math.abs(value);
      squares[k % taps]! += value * value;
    }
    mars = Math.max(mars, l1);
    for (const square of squares) kernelSum += Math.sqrt(square);
    for (const window of windows) {
      const inside = window.taps.reduce((sum, tap) => sum + squares[tap]!, 0);
      squared += window.count * inside;
      rowSum += window.count * Math.sqrt(inside);
    }
  }
  return { mars, frobenius: Math.sqrt(squared), rowSum, kernelSum };
}

/** The different sets of taps that lie inside the image, and at how many output places each. */
function windowsOf(geometry: Conv2dParams): { count: number; taps: number[] }[] {
  const { inHeight, outHeight, kernelHeight, strideHeight, paddingHeight, dilationHeight } = geometry;
  const { inWidth, outWidth, kernelWidth, strideWidth, paddingWidth, dilationWidth } = geometry;
  const rows = spansOf(inHeight, outHeight, kernelHeight, strideHeight, paddingHeight, dilationHeight);
  const columns = spansOf(inWidth, outWidth, kernelWidth, strideWidth, paddingWidth, dilationWidth);
  return rows.flatMap((row) =>
    columns.map((column) => ({
      count: row.count * column.count,
      taps: row.taps.flatMap((a) => column.taps.map((b) => a * kernelWidth + b)),
    })),
  );
}

/** The same in one direction: at most about two sets per tap, however large the map. */
function spansOf(
  inside: number,
  outside: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): { count: number; taps: number[] }[] {
  const spans = new Map<string, { count: number; taps: number[] }>();
  for (let place = 0; place < outside; place++) {
    const taps = Array.from({ length: kernel }, (_, tap) => tap).filter((tap) => {
      const at = place * stride - padding + tap * dilation;
      return at >= 0 && at < inside;
    });
    const span = spans.get(taps.join());
    if (span) span.count++;
    else spans.set(taps.join(), { count: 1, taps });
  }
  return [...spans.values()];
}
