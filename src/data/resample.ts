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

/** Bytes from sums of weight · byte, and a half. Weights are ≥ 0 and sum to about 1: 255 is exceeded by their rounding at most. */
const toByte = (sum: number): number => Math.min(255, sum >> PRECISION_BITS);

/** A range of indices. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** The inputs that the outputs in `span` look at. */
function inputsOf({ starts, counts }: AxisWeights, { start, end }: Span): Span {
  return { start: starts[start]!, end: starts[end - 1]! + counts[end - 1]! };
}

/** Along the rows of `rows`: (height, width, 3) to (rows, columns, 3), `columns` being outputs of the axis. */
function resampleRows(input: Uint8Array, width: number, axis: AxisWeights, rows: Span, columns: Span): Uint8Array {
  const { taps, starts, counts, weights } = axis;
  const output = new Uint8Array((rows.end - rows.start) * (columns.end - columns.start) * 3);
  let target = 0;
  for (let row = rows.start; row < rows.end; row++) {
    const first = row * width * 3;
    for (let x = columns.start; x < columns.end; x++) {
      let source = first + starts[x]! * 3;
      // Half of a byte, for rounding.
      let red = ONE / 2;
      let green = ONE / 2;
      let blue = ONE / 2;
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

/** Along every column, whole rows at a time: (from `firstRow` on, width, 3) to (rows, width, 3), `rows` being outputs of the axis. */
function resampleColumns(
  input: Uint8Array,
  firstRow: number,
  width: number,
  axis: AxisWeights,
  rows: Span,
): Uint8Array {
  const { taps, starts, counts, weights } = axis;
  const rowBytes = width * 3;
  const output = new Uint8Array((rows.end - rows.start) * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = rows.start; y < rows.end; y++) {
    sums.fill(ONE / 2);
    for (let k = 0; k < counts[y]!; k++) {
      const weight = weights[y * taps + k]!;
      const source = (starts[y]! + k - firstRow) * rowBytes;
      for (let i = 0; i < rowBytes; i++) sums[i] = (sums[i]! + Math.imul(weight, input[source + i]!)) | 0;
    }
    const target = (y - rows.start) * rowBytes;
    for (let i = 0; i < rowBytes; i++) output[target + i] = toByte(sums[i]!);
  }
  return output;
}

function checkSize(size: number, what: string): void {
  if (!Number.isInteger(size) || size < 1) throw new RangeError(`${what} must be a whole number ≥ 1, but got ${size}.`);
}

/** A part of an image, in pixels. */
export interface Window {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** Bilinear with antialiasing, to (height, width); of the result only `window`, which costs that much less. */
export function resizeBilinear(image: RawImage, height: number, width: number, window?: Window): RawImage {
  checkSize(height, 'The height to resize to');
  checkSize(width, 'The width to resize to');
  const { top, left, ...size } = window ?? { top: 0, left: 0, height, width };
  const [rows, columns] = [
    { start: top, end: top + size.height },
    { start: left, end: left + size.width },
  ];
  const vertical = height === image.height ? null : triangleWeights(image.height, height);
  const needed = vertical ? inputsOf(vertical, rows) : rows;
  let { data } = image;
  if (width !== image.width)
    data = resampleRows(data, image.width, triangleWeights(image.width, width), needed, columns);
  else data = crop(image, needed.start, left, needed.end - needed.start, size.width).data;
  if (vertical) data = resampleColumns(data, needed.start, size.width, vertical, rows);
  return { data, ...size };
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

/** Where the middle (height, width) of a larger image lies; outside of it (top or left below 0) where the image is smaller. */
export function centerWindow(image: { height: number; width: number }, height: number, width: number): Window {
  const offset = (have: number, want: number): number =>
    have < want ? -Math.floor((want - have) / 2) : roundHalfToEven((have - want) / 2);
  return { top: offset(image.height, height), left: offset(image.width, width), height, width };
}

/** The middle (height, width); where the image is smaller it is padded with black, as torchvision does. */
export function cropCenter(image: RawImage, height: number, width: number): RawImage {
  const { top, left } = centerWindow(image, height, width);
  return crop(image, top, left, height, width);
}

/** `cropCenter` of the image resized to `to`, the same bytes for less work: only the middle is computed. */
export function resizeAndCropCenter(
  image: RawImage,
  to: readonly [height: number, width: number],
  height: number,
  width: number,
): RawImage {
  const window = centerWindow({ height: to[0], width: to[1] }, height, width);
  const isInside = window.top >= 0 && window.left >= 0;
  return isInside ? resizeBilinear(image, ...to, window) : cropCenter(resizeBilinear(image, ...to), height, width);
}

/** (height, width) of an image whose shorter side becomes `size`, the longer in proportion, rounded down. */
export function shorterSideTo(size: number, image: { height: number; width: number }): [height: number, width: number] {
  const { height, width } = image;
  if (width <= height) return [Math.floor((size * height) / width), size];
  return [size, Math.floor((size * width) / height)];
}
