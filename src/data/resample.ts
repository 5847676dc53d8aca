/**
 * Resizing and cutting of 8-bit images, byte for byte as Pillow does it (and so torchvision on PIL images), because published
 * weights were trained and measured on such pixels.
 *
 * Bilinear with antialiasing: output pixel x looks at input positions around c = (x + ½)·s with s = in/out, and weighs each
 * by the triangle max(0, 1 − |p + ½ − c| / max(s, 1)), normalised to sum 1. When shrinking, the triangle is s times wider,
 * so every input pixel counts. First along rows, then along columns; weights are 22-bit fixed-point numbers and each pass rounds to bytes.
 */
import type { RawImage } from './dataset.ts';

const PRECISION_BITS = 22;
const ONE = 2 ** PRECISION_BITS;

/** The weights of a resize along one axis: output x is Σ_k weights[x·taps + k] · input[starts[x] + k]. */
interface AxisWeights {
  readonly taps: number;
  readonly starts: Int32Array;
  /** (out) how many of the taps are used. */
  readonly counts: Int32Array;
  /** (out · taps) fixed-point. */
  readonly weights: Int32Array;
}

function triangleWeights(inputSize: number, outputSize: number): AxisWeights {
  const scale = inputSize / outputSize;
  const support = Math.max(scale, 1);
  const taps = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(outputSize);
  const counts = new Int32Array(outputSize);
  const weights = new Int32Array(outputSize * taps);
  const exact = new Float64Array(taps);
  for (let x = 0; x < outputSize; x++) {
    const center = (x + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(inputSize, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const distance = Math.abs((k + start - center + 0.5) * (1 / support));
      exact[k] = distance < 1 ? 1 - distance : 0;
      sum += exact[k]!;
    }
    for (let k = 0; k < count; k++) weights[x * taps + k] = Math.trunc(exact[k]! * (1 / sum) * ONE + 0.5);
    starts[x] = start;
    counts[x] = count;
  }
  return { taps, starts, counts, weights };
}

/** Bytes from sums of weight · byte. Weights are ≥ 0 and sum to about 1: 255 is exceeded by their rounding at most. */
const toByte = (sum: number): number => Math.min(255, (sum + ONE / 2) >> PRECISION_BITS);

/** Along every row: (height, width, 3) to (height, axis' output size, 3). */
function resampleRows(input: Uint8Array, height: number, width: number, axis: AxisWeights): Uint8Array {
  const { taps, starts, counts, weights } = axis;
  const output = new Uint8Array(height * starts.length * 3);
  let target = 0;
  for (let row = 0; row < height; row++) {
    for (let x = 0; x < starts.length; x++) {
      let source = (row * width + starts[x]!) * 3;
      let red = 0;
      let green = 0;
      let blue = 0;
      const end = x * taps + counts[x]!;
      for (let k = x * taps; k < end; k++) {
        const weight = weights[k]!;
        red = (red + Math.imul(weight, input[source]!)) | 0;
        green = (green + Math.imul(weight, input[source + 1]!)) | 0;
        blue = (blue + Math.imul(weight, input[source + 2]!)) | 0;
        source += 3;
      }
      output[target] = toByte(red);
      output[target + 1] = toByte(green);
      output[target + 2] = toByte(blue);
      target += 3;
    }
  }
  return output;
}

/** Along every column: (input size, width, 3) to (axis' output size, width, 3), whole rows at a time. */
function resampleColumns(input: Uint8Array, width: number, axis: AxisWeights): Uint8Array {
  const { taps, starts, counts, weights } = axis;
  const rowBytes = width * 3;
  const output = new Uint8Array(starts.length * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < starts.length; y++) {
    sums.fill(0);
    for (let k = 0; k < counts[y]!; k++) {
      const weight = weights[y * taps + k]!;
      const source = (starts[y]! + k) * rowBytes;
      for (let i = 0; i < rowBytes; i++) sums[i]! += Math.imul(weight, input[source + i]!);
    }
    for (let i = 0; i < rowBytes; i++) output[y * rowBytes + i] = toByte(sums[i]!);
  }
  return output;
}

function checkSize(size: number, what: string): void {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`${what} must be a whole number ≥ 1, but got ${size}.`);
}

/** Bilinear with antialiasing, to (height, width). */
export function resizeBilinear(image: RawImage, height: number, width: number): RawImage {
  checkSize(height, 'The height to resize to');
  checkSize(width, 'The width to resize to');
  let { data } = image;
  if (width !== image.width) data = resampleRows(data, image.height, image.width, triangleWeights(image.width, width));
  if (height !== image.height) data = resampleColumns(data, width, triangleWeights(image.height, height));
  return { data, height, width };
}

/** Nearest neighbour, to (height, width): output x takes input ⌊(x + ½)·in/out⌋. */
export function resizeNearest(image: RawImage, height: number, width: number): RawImage {
  checkSize(height, 'The height to resize to');
  checkSize(width, 'The width to resize to');
  const data = new Uint8Array(height * width * 3);
  const columns = Int32Array.from({ length: width }, (_, x) => Math.floor(((x + 0.5) * image.width) / width) * 3);
  for (let y = 0; y < height; y++) {
    const row = Math.floor(((y + 0.5) * image.height) / height) * image.width * 3;
    for (let x = 0; x < width; x++) {
      const source = row + columns[x]!;
      const target = (y * width + x) * 3;
      data[target] = image.data[source]!;
      data[target + 1] = image.data[source + 1]!;
      data[target + 2] = image.data[source + 2]!;
    }
  }
  return { data, height, width };
}

/** The rectangle of (height, width) whose corner is at (top, left); what lies outside the image is `fill`. */
export function crop(image: RawImage, top: number, left: number, height: number, width: number, fill = 0): RawImage {
  checkSize(height, 'The height of a crop');
  checkSize(width, 'The width of a crop');
  const data = new Uint8Array(height * width * 3);
  if (fill !== 0) data.fill(fill);
  const firstColumn = Math.max(0, left);
  const endColumn = Math.min(image.width, left + width);
  const firstRow = Math.max(0, top);
  const endRow = Math.min(image.height, top + height);
  if (firstColumn >= endColumn) return { data, height, width };
  for (let row = firstRow; row < endRow; row++) {
    const pixels = image.data.subarray((row * image.width + firstColumn) * 3, (row * image.width + endColumn) * 3);
    data.set(pixels, ((row - top) * width + firstColumn - left) * 3);
  }
  return { data, height, width };
}

/** Mirrored left to right. */
export function flipHorizontal(image: RawImage): RawImage {
  const { height, width } = image;
  const data = new Uint8Array(image.data.length);
  for (let row = 0; row < height; row++) {
    let source = (row * width + width - 1) * 3;
    for (let target = row * width * 3; target < (row + 1) * width * 3; target += 3) {
      data[target] = image.data[source]!;
      data[target + 1] = image.data[source + 1]!;
      data[target + 2] = image.data[source + 2]!;
      source -= 3;
    }
  }
  return { data, height, width };
}

/** Half to even, as Python's `round`, by which torchvision places centre crops. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The middle (height, width); where the image is smaller it is padded with black, as torchvision does. */
export function cropCenter(image: RawImage, height: number, width: number): RawImage {
  const offset = (have: number, want: number): number =>
    have < want ? -Math.floor((want - have) / 2) : roundHalfToEven((have - want) / 2);
  return crop(image, offset(image.height, height), offset(image.width, width), height, width);
}

/** (height, width) of an image whose shorter side becomes `size`, the longer in proportion, rounded down. */
export function shorterSideTo(size: number, image: { height: number; width: number }): [height: number, width: number] {
  const { height, width } = image;
  if (width <= height) return [Math.floor((size * height) / width), size];
  return [size, Math.floor((size * width) / height)];
}
