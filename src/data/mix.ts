/**
 * Batches of mixed images, with torchvision's convention (transforms.v2.MixUp, CutMix): one share λ ~ Beta(α, α) for the batch, and each image's
 * partner is the one before it, the first one's the last.
 *
 *   mixup    x ← λ·x + (1 − λ)·partner                    Zhang, Cisse, Dauphin & Lopez-Paz, ICLR 2018
 *   cutmix   a rectangle of area 1 − λ is the partner's   Yun et al., ICCV 2019; λ is then the area that is left
 *
 * The loss is λ·CE(labels) + (1 − λ)·CE(partners' labels): `Batch.mix`.
 */
import type { Random } from '../tensor/random.ts';

export interface MixOptions {
  /** α of Beta(α, α); 0: none. */
  readonly mixup?: number;
  readonly cutmix?: number;
}

/** What a mixed batch carries beside its own labels. */
export interface Mix {
  /** (N) of the partners. */
  readonly labels: Int32Array;
  /** λ: the own labels' share of the loss. */
  readonly share: number;
}

/** Throws where an α is none. */
export function checkMix({ mixup = 0, cutmix = 0 }: MixOptions): void {
  for (const [name, value] of Object.entries({ mixup, cutmix })) {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY))
      throw new RangeError(`${name} needs a finite α ≥ 0, but got ${value}.`);
  }
}

/** Mixes `images` (N, C, H, W) in place; undefined where nothing is asked for. Of both kinds each batch takes one, at even odds. */
export function mixBatch(
  images: Float32Array,
  shape: readonly [number, number, number, number],
  labels: Int32Array,
  { mixup = 0, cutmix = 0 }: MixOptions,
  random: Random,
): Mix | undefined {
  if (mixup === 0 && cutmix === 0) return undefined;
  const isCut = cutmix > 0 && (mixup === 0 || random.uniform() < 0.5);
  const alpha = isCut ? cutmix : mixup;
  const drawn = random.beta(alpha, alpha);
  const partners = roll(images, shape[0]);
  const share = isCut ? cut(images, partners, shape, drawn, random) : blend(images, partners, drawn);
  return { labels: roll(labels, shape[0]), share };
}

/** A copy whose part n is part n − 1 of the original. */
function roll<T extends Float32Array | Int32Array>(values: T, parts: number): T {
  const length = values.length / parts;
  const copy = values.slice() as T;
  copy.set(values.subarray(values.length - length));
  copy.set(values.subarray(0, values.length - length), length);
  return copy;
}

function blend(images: Float32Array, partners: Float32Array, share: number): number {
  for (let i = 0; i < images.length; i++) images[i] = share * images[i]! + (1 - share) * partners[i]!;
  return share;
}

/** torchvision's rectangle: its centre anywhere, its sides √(1 − λ) of the image's, cut off at the border. */
function cut(
  images: Float32Array,
  partners: Float32Array,
  [batch, channels, height, width]: readonly [number, number, number, number],
  share: number,
  random: Random,
): number {
  const [y, x] = [random.integer(height), random.integer(width)];
  const half = 0.5 * Math.sqrt(1 - share);
  const [halfHeight, halfWidth] = [Math.trunc(half * height), Math.trunc(half * width)];
  const [top, bottom] = [Math.max(0, y - halfHeight), Math.min(height, y + halfHeight)];
  const [left, right] = [Math.max(0, x - halfWidth), Math.min(width, x + halfWidth)];
  for (let plane = 0; plane < batch * channels; plane++) {
    for (let row = top; row < bottom; row++) {
      const at = (plane * height + row) * width;
      images.set(partners.subarray(at + left, at + right), at + left);
    }
  }
  return 1 - ((bottom - top) * (right - left)) / (height * width);
}
