/**
 * The geometry of a convolution as implicit GEMM (see `../wasm/convolution.ts` and `../wasm/image.ts`): how the image
 * is packed, which byte offset each filter tap has in it, and which outputs a phase computes.
 */
import type { Conv2dParams } from '../../../kernels/conv2d.ts';

/** How an image is packed: zero-padded, split by phase. Lengths in elements, `…Bytes` in bytes. */
export interface PackedLayout {
  readonly height: number;
  readonly width: number;
  readonly stepHeight: number;
  readonly stepWidth: number;
  readonly phasesHeight: number;
  readonly phasesWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly pitch: number;
  readonly phaseBytes: number;
  readonly channelBytes: number;
}

export const layoutWords = (l: PackedLayout): number[] => [
  ...[l.height, l.width, l.stepHeight, l.stepWidth, l.phasesHeight, l.phasesWidth],
  ...[l.padTop, l.padLeft, l.pitch, l.phaseBytes, l.channelBytes],
];

/** One axis of a convolution. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

export function axes(p: Conv2dParams): { height: Axis; width: Axis } {
  return {
    height: {
      input: p.inHeight,
      output: p.outHeight,
      kernel: p.kernelHeight,
      stride: p.strideHeight,
      padding: p.paddingHeight,
      dilation: p.dilationHeight,
    },
    width: {
      input: p.inWidth,
      output: p.outWidth,
      kernel: p.kernelWidth,
      stride: p.strideWidth,
      padding: p.paddingWidth,
      dilation: p.dilationWidth,
    },
  };
}

/** Whether the convolution multiplies pixels where they lie: 1×1, stride 1, no padding. */
export const isPointwise = (p: Conv2dParams): boolean =>
  p.kernelHeight * p.kernelWidth * p.strideHeight * p.strideWidth === 1 && p.paddingHeight + p.paddingWidth === 0;

/**
 * A pointwise convolution sees no rows: its images are one row of height·width pixels, so that vectors of four do not
 * end at every row's end.
 */
export function flattened(p: Conv2dParams): Conv2dParams {
  if (!isPointwise(p)) return p;
  const pixels = p.inHeight * p.inWidth;
  return { ...p, inHeight: 1, inWidth: pixels, outHeight: 1, outWidth: pixels };
}

/** A tap along one axis: its index, the phase of the packed image that it reads, and its distance there. */
export interface AxisTap {
  readonly index: number;
  readonly phase: number;
  readonly distance: number;
}

/** Forward: output i reads padded position i·stride + k·dilation, which is position i + distance of its phase. */
export function forwardTaps({ kernel, stride, dilation }: Axis): AxisTap[] {
  return Array.from({ length: kernel }, (_, index) => ({
    index,
    phase: (index * dilation) % stride,
    distance: Math.floor((index * dilation) / stride),
  }));
}

export const largest = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b), 0);

/** One residue of the input gradient along one axis: the inputs h with (h + padding) mod stride = residue. */
export interface GradientPhase {
  readonly taps: readonly AxisTap[];
  /** First such h, how many there are, and the first one's u = ⌊(h + padding)/stride⌋. */
  readonly first: number;
  readonly count: number;
  readonly origin: number;
}

/**
 * Input gradient: dx[h] = Σ dy[i]·w[k] with h + padding = i·stride + k·dilation. With u = ⌊(h + padding)/stride⌋ and
 * k·dilation = e·stride + residue, i = u − e: a convolution of dy, padded by the largest e, with the taps of one
 * residue.
 */
export function gradientPhases(axis: Axis): { phases: GradientPhase[]; reach: number } {
  const taps = forwardTaps(axis);
  const reach = largest(taps.map((tap) => tap.distance));
  const phases: GradientPhase[] = [];
  for (let residue = 0; residue < axis.stride; residue++) {
    const first = (((residue - axis.padding) % axis.stride) + axis.stride) % axis.stride;
    phases.push({
      taps: taps
        .filter((tap) => tap.phase === residue)
        .map((tap) => ({ index: tap.index, phase: 0, distance: reach - tap.distance })),
      first,
      count: Math.max(0, Math.ceil((axis.input - first) / axis.stride)),
      origin: Math.floor((first + axis.padding) / axis.stride),
    });
  }
  return { phases, reach };
}
