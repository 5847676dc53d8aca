/**
 * RandAugment (Cubuk, Zoph, Shlens & Le, NeurIPS 2020) with torchvision's operations and magnitudes: `operations` of them in turn, each drawn
 * evenly, all at one magnitude out of 31 steps, its sign at even odds. Pixels are Pillow's where Pillow has the operation; geometric
 * ones take the nearest pixel and fill with black.
 */
import type { Random } from '../tensor/random.ts';
import type { RawImage } from './dataset.ts';
import type { ImageStep } from './transforms.ts';

type Change = (image: RawImage, amount: number) => RawImage;

const byte = (value: number): number => Math.max(0, Math.min(255, value));
const withData = (image: RawImage, data: Uint8Array): RawImage => ({ ...image, data });
/** Each byte through a table. */
const mapped = (image: RawImage, table: ArrayLike<number>): RawImage =>
  withData(
    image,
    Uint8Array.from(image.data, (value) => table[value]!),
  );
const table = (f: (value: number) => number): number[] => Array.from({ length: 256 }, (_, value) => f(value));

/** Pillow's grey: (299·red + 587·green + 114·blue)/1000 in fixed point. */
const greyAt = (data: Uint8Array, at: number): number =>
  (data[at]! * 19595 + data[at + 1]! * 38470 + data[at + 2]! * 7471 + 0x8000) >> 16;

/** Pillow's ImageEnhance: degenerate + factor·(image − degenerate) in float32, cut to whole numbers. */
function enhance(image: RawImage, degenerate: (at: number) => number, factor: number): RawImage {
  const data = new Uint8Array(image.data.length);
  for (let i = 0; i < data.length; i++) {
    const base = degenerate(i);
    const added = Math.fround(Math.fround(factor) * (image.data[i]! - base));
    data[i] = Math.trunc(byte(Math.fround(base + added)));
  }
  return withData(image, data);
}

const brightness: Change = (image, amount) => enhance(image, () => 0, 1 + amount);

const color: Change = (image, amount) => enhance(image, (i) => greyAt(image.data, i - (i % 3)), 1 + amount);

const contrast: Change = (image, amount) => {
  let sum = 0;
  for (let i = 0; i < image.data.length; i += 3) sum += greyAt(image.data, i);
  const mean = Math.trunc(sum / (image.data.length / 3) + 0.5);
  return enhance(image, () => mean, 1 + amount);
};

/** Against Pillow's SMOOTH: a 3×3 window of 1 1 1, 1 5 1, 1 1 1 over 13; the border stays. */
const sharpness: Change = (image, amount) => {
  const { data, height, width } = image;
  const smooth = Uint8Array.from(data);
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      for (let c = 0; c < 3; c++) {
        const at = (y * width + x) * 3 + c;
        let sum = 4 * data[at]!;
        for (let dy = -1; dy <= 1; dy++) {
          for (let dx = -1; dx <= 1; dx++) sum += data[at + (dy * width + dx) * 3]!;
        }
        smooth[at] = Math.trunc(sum / 13 + 0.5);
      }
    }
  }
  return enhance(image, (i) => smooth[i]!, 1 + amount);
};

const posterize: Change = (image, bits) =>
  mapped(
    image,
    table((value) => value & ~(2 ** (8 - Math.round(bits)) - 1)),
  );
const solarize: Change = (image, threshold) =>
  mapped(
    image,
    table((value) => (value < threshold ? value : 255 - value)),
  );

/** One table for each channel, from its histogram. */
function perChannel(image: RawImage, tableOf: (histogram: Int32Array) => ArrayLike<number>): RawImage {
  const tables = [0, 1, 2].map((channel) => {
    const histogram = new Int32Array(256);
    for (let i = channel; i < image.data.length; i += 3) histogram[image.data[i]!]!++;
    return tableOf(histogram);
  });
  return withData(
    image,
    image.data.map((value, i) => tables[i % 3]![value]!),
  );
}

/** Stretches each channel to 0 … 255. */
const autoContrast: Change = (image) =>
  perChannel(image, (histogram) => {
    const low = histogram.findIndex((count) => count > 0);
    const high = histogram.findLastIndex((count) => count > 0);
    if (high <= low) return table((value) => value);
    const scale = 255 / (high - low);
    return table((value) => Math.trunc(byte(value * scale - low * scale)));
  });

/** Pillow's equalisation: as many pixels in every step as the histogram allows. */
const equalize: Change = (image) =>
  perChannel(image, (histogram) => {
    const used = histogram.filter((count) => count > 0);
    const step = Math.floor((used.reduce((sum, count) => sum + count, 0) - used.at(-1)!) / 255);
    if (used.length <= 1 || step === 0) return table((value) => value);
    let n = Math.floor(step / 2);
    return table((value) => {
      const out = Math.floor(n / step);
      n += histogram[value]!;
      return Math.min(255, out);
    });
  });

/** Pixel (x, y) from (a·x + b·y + c, d·x + e·y + f), as Pillow's affine transform by nearest neighbour: centres of pixels, black outside. */
function affine(image: RawImage, [a, b, c, d, e, f]: readonly number[]): RawImage {
  const { data, height, width } = image;
  const out = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const fromX = Math.floor(a! * (x + 0.5) + b! * (y + 0.5) + c!);
      const fromY = Math.floor(d! * (x + 0.5) + e! * (y + 0.5) + f!);
      if (fromX < 0 || fromY < 0 || fromX >= width || fromY >= height) continue;
      const [to, from] = [(y * width + x) * 3, (fromY * width + fromX) * 3];
      out[to] = data[from]!;
      out[to + 1] = data[from + 1]!;
      out[to + 2] = data[from + 2]!;
    }
  }
  return withData(image, out);
}

const shearX: Change = (image, amount) => affine(image, [1, amount, 0, 0, 1, 0]);
const shearY: Change = (image, amount) => affine(image, [1, 0, 0, amount, 1, 0]);
const translateX: Change = (image, pixels) => affine(image, [1, 0, -Math.trunc(pixels), 0, 1, 0]);
const translateY: Change = (image, pixels) => affine(image, [1, 0, 0, 0, 1, -Math.trunc(pixels)]);
/** Counter-clockwise about the centre, in degrees. */
const rotate: Change = (image, degrees) => {
  const angle = (-degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const [x, y] = [image.width / 2, image.height / 2];
  return affine(image, [cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y]);
};

interface Operation {
  readonly apply: Change;
  /** The amount at `level` 0 … 1 of an image. */
  readonly amount: (level: number, image: RawImage) => number;
  /** The amount takes either sign. */
  readonly signed: boolean;
}
const operation = (apply: Change, amount: Operation['amount'], signed: boolean): Operation => ({
  apply,
  amount,
  signed,
});

/** torchvision's list and ranges (transforms.RandAugment), with the steps of 31 in between. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  identity: operation(
    (image) => image,
    () => 0,
    false,
  ),
  shearX: operation(shearX, (level) => 0.3 * level, true),
  shearY: operation(shearY, (level) => 0.3 * level, true),
  translateX: operation(translateX, (level, { width }) => (150 / 331) * width * level, true),
  translateY: operation(translateY, (level, { height }) => (150 / 331) * height * level, true),
  rotate: operation(rotate, (level) => 30 * level, true),
  brightness: operation(brightness, (level) => 0.9 * level, true),
  color: operation(color, (level) => 0.9 * level, true),
  contrast: operation(contrast, (level) => 0.9 * level, true),
  sharpness: operation(sharpness, (level) => 0.9 * level, true),
  posterize: operation(posterize, (level) => 8 - Math.round(4 * level), false),
  solarize: operation(solarize, (level) => 255 * (1 - level), false),
  autoContrast: operation(autoContrast, () => 0, false),
  equalize: operation(equalize, () => 0, false),
};

const STEPS = 31;

/** `magnitude`: a whole number from 0 to 30. The usual choice is randAugment(2, 9). */
export function randAugment(operations = 2, magnitude = 9): ImageStep {
  if (!Number.isInteger(operations) || operations < 1)
    throw new RangeError(`randAugment needs a whole number of operations ≥ 1, but got ${operations}.`);
  if (!Number.isInteger(magnitude) || magnitude < 0 || magnitude >= STEPS)
    throw new RangeError(`randAugment needs a whole magnitude from 0 to ${STEPS - 1}, but got ${magnitude}.`);
  const all = Object.values(OPERATIONS);
  const level = magnitude / (STEPS - 1);
  return {
    stage: 'image',
    description: `randAugment(${operations}, ${magnitude})`,
    apply(image: RawImage, random: Random) {
      let changed = image;
      for (let i = 0; i < operations; i++) {
        const { apply, amount, signed } = all[random.integer(all.length)]!;
        const size = amount(level, changed);
        changed = apply(changed, signed && random.uniform() < 0.5 ? -size : size);
      }
      return changed;
    },
  };
}
