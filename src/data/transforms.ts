/**
 * Steps from a decoded image to a network's input, with torchvision's names and pixels:
 *
 *     compose([randomCrop(32, { padding: 4 }), randomHorizontalFlip(), toFloat(), normalize(mean, std)])
 *
 * Steps on images come first, then one conversion (`toFloat` or `toRaw`), then steps on floats. A random step draws from the
 * generator that it is given; the loader gives each image its own, from (seed, epoch, index), so a sample's augmentation
 * depends neither on the order of loading nor on prefetching.
 */

import type { Random } from '../tensor/random.ts';
import type { RawImage } from './dataset.ts';
import {
  crop,
  cropCenter,
  flipHorizontal,
  resizeAndCropCenter,
  resizeBilinear,
  resizeNearest,
  shorterSideTo,
} from './resample.ts';

/** (3, height, width) float32, row-major. */
export interface FloatImage {
  readonly data: Float32Array;
  readonly height: number;
  readonly width: number;
}

/** `description` reads like the call that made the step, and goes into a run's configuration. */
export interface ImageStep {
  readonly stage: 'image';
  readonly description: string;
  apply(image: RawImage, random: Random): RawImage;
  /** Of a bilinear resize: what size it gives an image. */
  readonly resizesTo?: (image: RawImage) => readonly [height: number, width: number];
  /** Of a centre crop: the size. */
  readonly cropsTo?: readonly [height: number, width: number];
}
export interface ConvertStep {
  readonly stage: 'convert';
  readonly description: string;
  /** (256) what a byte becomes. */
  readonly table: Float32Array;
}
export interface FloatStep {
  readonly stage: 'float';
  readonly description: string;
  /** What a value of channel 0, 1 or 2 becomes: each pixel by itself, so that whole images go through tables. */
  value(value: number, channel: number): number;
}
export type TransformStep = ImageStep | ConvertStep | FloatStep;

export interface Transform {
  readonly description: string;
  apply(image: RawImage, random: Random): FloatImage;
}

/** A length for a square, or (height, width). */
export type Size = number | readonly [height: number, width: number];
const heightOf = (size: Size): number => (typeof size === 'number' ? size : size[0]);
const widthOf = (size: Size): number => (typeof size === 'number' ? size : size[1]);

function checkSize(size: Size, step: string): void {
  if ([heightOf(size), widthOf(size)].some((side) => !Number.isInteger(side) || side < 1)) {
    throw new RangeError(`${step} needs whole numbers ≥ 1 for its size, but got ${size}.`);
  }
}

export type Interpolation = 'bilinear' | 'nearest';

/**
 * To `size`: a number sets the shorter side and keeps the proportions (torchvision's rule), a pair sets both. 'bilinear' is
 * antialiased; both give Pillow's bytes.
 */
export function resize(size: Size, interpolation: Interpolation = 'bilinear'): ImageStep {
  checkSize(size, 'resize');
  const resample = interpolation === 'bilinear' ? resizeBilinear : resizeNearest;
  const sizeOf = (image: RawImage) => (typeof size === 'number' ? shorterSideTo(size, image) : size);
  return {
    stage: 'image',
    description: `resize(${size}, ${interpolation})`,
    ...(interpolation === 'bilinear' && { resizesTo: sizeOf }),
    apply(image) {
      const [height, width] = sizeOf(image);
      return height === image.height && width === image.width ? image : resample(image, height, width);
    },
  };
}

/** The middle of the image; a smaller image is padded with black. */
export function centerCrop(size: Size): ImageStep {
  checkSize(size, 'centerCrop');
  return {
    stage: 'image',
    description: `centerCrop(${size})`,
    cropsTo: [heightOf(size), widthOf(size)],
    apply: (image) => cropCenter(image, heightOf(size), widthOf(size)),
  };
}

/** A random place in the image after `padding` pixels of value `fill` (0 to 255) were put on every side. */
export function randomCrop(size: Size, options: { padding?: number; fill?: number } = {}): ImageStep {
  checkSize(size, 'randomCrop');
  const { padding = 0, fill = 0 } = options;
  if (!Number.isInteger(padding) || padding < 0) throw new RangeError(`randomCrop: padding ${padding} is not ≥ 0.`);
  return {
    stage: 'image',
    description: `randomCrop(${size}, padding=${padding}, fill=${fill})`,
    apply(image, random) {
      const spareRows = image.height + 2 * padding - heightOf(size);
      const spareColumns = image.width + 2 * padding - widthOf(size);
      if (spareRows < 0 || spareColumns < 0) {
        throw new RangeError(
          `randomCrop(${size}) needs an image at least that large, but got ${image.height}×${image.width} ` +
            `with padding ${padding}; resize first, or pad more.`,
        );
      }
      const top = random.integer(spareRows + 1) - padding;
      const left = random.integer(spareColumns + 1) - padding;
      return crop(image, top, left, heightOf(size), widthOf(size), fill);
    },
  };
}

/** Mirrored left to right with the given probability. */
export function randomHorizontalFlip(probability = 0.5): ImageStep {
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`randomHorizontalFlip needs a probability from 0 to 1, but got ${probability}.`);
  }
  return {
    stage: 'image',
    description: `randomHorizontalFlip(${probability})`,
    apply: (image, random) => (random.uniform() < probability ? flipHorizontal(image) : image),
  };
}

/** A rectangle within an image, in pixels. */
export interface Rectangle {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/**
 * The rectangle of torchvision's RandomResizedCrop: area uniform in `scale` times the image's, log-aspect (width over height)
 * uniform in `ratio`; after ten draws that do not fit, the middle at the nearest allowed aspect.
 */
export function drawRectangle(
  image: { height: number; width: number },
  scale: readonly [number, number],
  ratio: readonly [number, number],
  random: Random,
): Rectangle {
  const { height, width } = image;
  const logRatio = [Math.log(ratio[0]), Math.log(ratio[1])] as const;
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = height * width * (scale[0] + (scale[1] - scale[0]) * random.uniform());
    const aspect = Math.exp(logRatio[0] + (logRatio[1] - logRatio[0]) * random.uniform());
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { top: random.integer(height - h + 1), left: random.integer(width - w + 1), height: h, width: w };
  }
  const aspect = Math.min(ratio[1], Math.max(ratio[0], width / height));
  const w = Math.max(1, Math.min(width, Math.round(height * aspect)));
  const h = Math.max(1, Math.min(height, Math.round(width / aspect)));
  return { top: Math.floor((height - h) / 2), left: Math.floor((width - w) / 2), height: h, width: w };
}

/** A random rectangle, resized to `size`: the usual augmentation for ImageNet. */
export function randomResizedCrop(
  size: Size,
  options: { scale?: readonly [number, number]; ratio?: readonly [number, number] } = {},
): ImageStep {
  checkSize(size, 'randomResizedCrop');
  const { scale = [0.08, 1], ratio = [3 / 4, 4 / 3] } = options;
  const rises = (pair: readonly [number, number]) => pair[0] > 0 && pair[0] <= pair[1];
  if (!rises(scale) || !rises(ratio) || scale[1] > 1) {
    throw new RangeError(`randomResizedCrop needs 0 < low ≤ high (scale ≤ 1), but got scale ${scale}, ratio ${ratio}.`);
  }
  return {
    stage: 'image',
    description: `randomResizedCrop(${size}, scale=${scale.join('..')}, ratio=${ratio.map((r) => r.toFixed(4)).join('..')})`,
    apply(image, random) {
      const { top, left, height, width } = drawRectangle(image, scale, ratio, random);
      return resizeBilinear(crop(image, top, left, height, width), heightOf(size), widthOf(size));
    },
  };
}

/** (H,W,3) bytes to (3,H,W) floats, each channel through a table of 256 values. */
function bytesToFloats(image: RawImage, [red, green, blue]: readonly Float32Array[]): FloatImage {
  const { height, width, data: bytes } = image;
  const plane = height * width;
  const data = new Float32Array(3 * plane);
  for (let pixel = 0, source = 0; pixel < plane; pixel++, source += 3) {
    data[pixel] = red![bytes[source]!]!;
    data[pixel + plane] = green![bytes[source + 1]!]!;
    data[pixel + 2 * plane] = blue![bytes[source + 2]!]!;
  }
  return { data, height, width };
}

/** Bytes to float32 in [0, 1], divided by 255: torchvision's ToTensor. */
export function toFloat(): ConvertStep {
  const table = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);
  return { stage: 'convert', description: 'toFloat()', table };
}

/** Bytes to float32 in [0, 255], as they are: for networks that were trained so (Keras in 'caffe' mode). */
export function toRaw(): ConvertStep {
  const table = Float32Array.from({ length: 256 }, (_, byte) => byte);
  return { stage: 'convert', description: 'toRaw()', table };
}

/** (x − mean) / std per channel, in float32 at every step, as torch rounds. */
export function normalize(mean: readonly number[], std: readonly number[]): FloatStep {
  if (mean.length !== 3 || std.length !== 3 || std.some((value) => !(value > 0))) {
    throw new RangeError(`normalize needs three means and three positive stds, but got [${mean}] and [${std}].`);
  }
  return {
    stage: 'float',
    description: `normalize([${mean.join(', ')}], [${std.join(', ')}])`,
    value: (value, channel) =>
      Math.fround(Math.fround(value - Math.fround(mean[channel]!)) / Math.fround(std[channel]!)),
  };
}

/** Joins steps into one transform. They must be in order: images, one conversion, floats. */
export function compose(steps: readonly TransformStep[]): Transform {
  const conversions = steps.filter((step) => step.stage === 'convert');
  const order = { image: 0, convert: 1, float: 2 };
  const outOfOrder = steps.findIndex((step, i) => i > 0 && order[step.stage] < order[steps[i - 1]!.stage]);
  const description = steps.map((step) => step.description).join(' → ');
  if (conversions.length !== 1 || outOfOrder >= 0) {
    const fault =
      conversions.length === 1
        ? `${steps[outOfOrder]!.description} stands too late`
        : `${conversions.length} conversions were given`;
    throw new Error(
      `compose needs steps on images, then exactly one conversion (toFloat or toRaw), then steps on floats; ${fault} in: ${description}.`,
    );
  }
  const onImages = steps.filter((step) => step.stage === 'image');
  const onFloats = steps.filter((step) => step.stage === 'float');
  const tables = [0, 1, 2].map((channel) =>
    conversions[0]!.table.map((value) => onFloats.reduce((current, step) => step.value(current, channel), value)),
  );
  return {
    description,
    apply: (image, random) => bytesToFloats(applyAll(onImages, image, random), tables),
  };
}

/** A resize that a centre crop follows computes the middle alone. */
function applyAll(steps: readonly ImageStep[], image: RawImage, random: Random): RawImage {
  let current = image;
  for (let i = 0; i < steps.length; i++) {
    const [step, next] = [steps[i]!, steps[i + 1]];
    if (step.resizesTo && next?.cropsTo) {
      current = resizeAndCropCenter(current, step.resizesTo(current), ...next.cropsTo);
      i++;
    } else current = step.apply(current, random);
  }
  return current;
}
