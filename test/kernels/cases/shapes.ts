/** Random sizes, and the windows of convolutions and pools. */
import fc from 'fast-check';

export const between = (min: number, max: number) => fc.integer({ min, max });

/** Element counts at and around the sizes of workgroups, vectors and blocks, none and one among them. */
export const count = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 4, 5, 31, 63, 64, 65, 127, 255, 256, 257, 1031),
  between(1, 600),
);

export const someCount = count.filter((n) => n > 0);

/** One axis of a sliding window. */
export interface Axis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

interface AxisLimits {
  readonly maxKernel: number;
  readonly maxStride: number;
  readonly maxDilation: number;
  /** Convolutions may pad by more than half a window, and see nothing but padding in some places. */
  readonly isPool: boolean;
}

const extent = ({ kernel, dilation }: { kernel: number; dilation: number }) => dilation * (kernel - 1) + 1;

/** The window at `output` position `at` covers at least one element. */
function coversSomething(axis: Axis, at: number): boolean {
  for (let k = 0; k < axis.kernel; k++) {
    const place = at * axis.stride + k * axis.dilation - axis.padding;
    if (place >= 0 && place < axis.input) return true;
  }
  return false;
}

/**
 * Sizes for which `output` windows fit. `slack` are the elements that no window reaches (odd sizes under a stride); for a pool
 * it may be negative: the last window hangs over the padded edge, though it begins before it, as with PyTorch's ceil_mode.
 */
export function axis({ maxKernel, maxStride, maxDilation, isPool }: AxisLimits): fc.Arbitrary<Axis> {
  return fc
    .record({
      output: between(1, 6),
      kernel: between(1, maxKernel),
      stride: between(1, maxStride),
      dilation: between(1, maxDilation),
      padding: between(0, maxKernel),
      slack: between(isPool ? -2 : 0, maxStride - 1),
    })
    .map(({ slack, ...rest }) => ({
      ...rest,
      input: (rest.output - 1) * rest.stride + extent(rest) - 2 * rest.padding + slack,
    }))
    .filter((a) => {
      if (a.input < 1) return false;
      const last = (a.output - 1) * a.stride;
      const leftover = a.input + 2 * a.padding - (last + extent(a));
      if (!isPool) return leftover >= 0 && leftover < a.stride;
      const fits = leftover < a.stride && last < a.input + a.padding && 2 * a.padding <= a.kernel;
      return fits && coversSomething(a, 0) && coversSomething(a, a.output - 1);
    });
}

/** The window parameters that convolutions and pools share. */
export function windowParams(height: Axis, width: Axis) {
  return {
    inHeight: height.input,
    inWidth: width.input,
    outHeight: height.output,
    outWidth: width.output,
    kernelHeight: height.kernel,
    kernelWidth: width.kernel,
    strideHeight: height.stride,
    strideWidth: width.stride,
    paddingHeight: height.padding,
    paddingWidth: width.padding,
    dilationHeight: height.dilation,
    dilationWidth: width.dilation,
  };
}

/** A square window over a square plane. */
export function square(input: number, kernel: number, stride: number, padding: number, dilation = 1) {
  const output = Math.floor((input + 2 * padding - extent({ kernel, dilation })) / stride) + 1;
  const both: Axis = { input, output, kernel, stride, padding, dilation };
  return windowParams(both, both);
}
