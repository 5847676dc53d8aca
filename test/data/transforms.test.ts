import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { RawImage } from '../../src/data/dataset.ts';
import { crop, flipHorizontal, resizeBilinear } from '../../src/data/resample.ts';
import {
  centerCrop,
  compose,
  drawRectangle,
  type ImageStep,
  normalize,
  randomCrop,
  randomHorizontalFlip,
  randomResizedCrop,
  resize,
  toFloat,
  toRaw,
} from '../../src/data/transforms.ts';
import { Random } from '../../src/tensor/random.ts';

interface Encoded {
  height: number;
  width: number;
  data: string;
}
const golden = JSON.parse(readFileSync(new URL('../golden/transforms.json', import.meta.url), 'utf8'));
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
const floats = (text: string) => new Float32Array(bytes(text).buffer);
const decode = ({ height, width, data }: Encoded): RawImage => ({ height, width, data: bytes(data) });
const image = decode(golden.image);
const random = () => new Random(0);
const apply = (step: ImageStep) => step.apply(image, random());

/** Image of (height, width) in which pixel (y, x) is (y, x, 7). */
function positions(height: number, width: number): RawImage {
  const data = new Uint8Array(height * width * 3);
  for (let i = 0; i < height * width; i++) data.set([Math.floor(i / width), i % width, 7], i * 3);
  return { data, height, width };
}

describe('against torchvision and Pillow, byte for byte', () => {
  const cases: Record<string, () => RawImage> = {
    'resize bilinear 20x31': () => apply(resize([20, 31])),
    'resize bilinear 5x53': () => apply(resize([5, 53])),
    'resize bilinear 37x7': () => apply(resize([37, 7])),
    'resize bilinear 64x80': () => apply(resize([64, 80])),
    'resize bilinear 1x1': () => apply(resize([1, 1])),
    'resize bilinear shorter 24': () => apply(resize(24)),
    'resize nearest 20x31': () => apply(resize([20, 31], 'nearest')),
    'resize nearest 64x80': () => apply(resize([64, 80], 'nearest')),
    'centerCrop 20x20': () => apply(centerCrop(20)),
    'centerCrop 21x30': () => apply(centerCrop([21, 30])),
    'centerCrop 40x25': () => apply(centerCrop([40, 25])),
    'pad 4 crop 1 6 37x53': () => crop(image, 1 - 4, 6 - 4, 37, 53),
    'pad 4 fill 7 crop 8 0 20x20': () => crop(image, 8 - 4, 0 - 4, 20, 20, 7),
    flip: () => flipHorizontal(image),
    'resizedCrop 3 5 17x29 to 16x12': () => resizeBilinear(crop(image, 3, 5, 17, 29), 16, 12),
  };

  it('covers every stored case', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(golden.cases).sort());
  });

  for (const [name, run] of Object.entries(cases)) {
    it(name, () => expect(run()).toEqual(decode(golden.cases[name])));
  }

  it('toFloat and normalize, to the last bit', () => {
    const square = decode(golden.square);
    expect(compose([toFloat()]).apply(square, random()).data).toEqual(floats(golden.toTensor));
    const normalized = compose([toFloat(), normalize(golden.mean, golden.std)]).apply(square, random());
    expect(normalized.data).toEqual(floats(golden.normalized));
  });
});

describe('random steps', () => {
  it('randomCrop reaches every place, evenly', () => {
    const source = positions(6, 5);
    const counts = new Map<string, number>();
    const generator = new Random(1);
    for (let i = 0; i < 4200; i++) {
      // Fill 200 marks the padding: the offset is told by where the first pixel of the image stands.
      const out = randomCrop([6, 5], { padding: 1, fill: 200 }).apply(source, generator);
      const at = out.data.findIndex((byte, j) => j % 3 === 2 && byte === 7);
      const key = `${out.data[at - 2]},${out.data[at - 1]},${at}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    expect(counts.size).toBe(9);
    for (const count of counts.values()) expect(Math.abs(count - 4200 / 9)).toBeLessThan(110);
  });

  it('randomCrop refuses an image that is too small', () => {
    expect(() => randomCrop(8).apply(positions(6, 9), random())).toThrow(
      'randomCrop(8) needs an image at least that large',
    );
  });

  it('randomHorizontalFlip flips its share, and 0 and 1 mean never and always', () => {
    const generator = new Random(2);
    const source = positions(1, 2);
    let flips = 0;
    for (let i = 0; i < 2000; i++) flips += randomHorizontalFlip(0.25).apply(source, generator).data[1] === 1 ? 1 : 0;
    expect(Math.abs(flips - 500)).toBeLessThan(100);
    for (let i = 0; i < 50; i++) {
      expect(randomHorizontalFlip(0).apply(source, generator)).toBe(source);
      expect(randomHorizontalFlip(1).apply(source, generator).data[1]).toBe(1);
    }
  });

  it('randomResizedCrop draws areas and aspects from their ranges, within the image', () => {
    const generator = new Random(3);
    let areas = 0;
    let logAspects = 0;
    const n = 4000;
    for (let i = 0; i < n; i++) {
      const { top, left, height, width } = drawRectangle({ height: 300, width: 300 }, [0.1, 0.4], [0.5, 2], generator);
      expect(top >= 0 && left >= 0 && top + height <= 300 && left + width <= 300).toBe(true);
      const area = (height * width) / 90_000;
      expect(area > 0.095 && area < 0.405).toBe(true);
      areas += area / n;
      logAspects += Math.log(width / height) / n;
    }
    // Uniform in [0.1, 0.4]: mean 0.25 ± 5·0.0866/√n. Log-uniform aspect around 1: ± 5·0.4/√n.
    expect(Math.abs(areas - 0.25)).toBeLessThan(0.008);
    expect(Math.abs(logAspects)).toBeLessThan(0.033);
  });

  it('randomResizedCrop falls back to the middle for images of extreme shape', () => {
    const wide = drawRectangle({ height: 10, width: 1000 }, [0.5, 1], [3 / 4, 4 / 3], random());
    expect(wide).toEqual({ top: 0, left: 493, height: 10, width: 13 });
    const tall = drawRectangle({ height: 1000, width: 9 }, [0.5, 1], [3 / 4, 4 / 3], random());
    expect(tall).toEqual({ top: 494, left: 0, height: 12, width: 9 });
    expect(randomResizedCrop(16).apply(image, random())).toMatchObject({ height: 16, width: 16 });
  });
});

describe('compose', () => {
  it('computes of a resize what a centre crop leaves, to the same bytes', () => {
    const random = new Random(5);
    for (const [height, width] of [
      [37, 61],
      [90, 41],
      [24, 24],
      [10, 50],
    ] as const) {
      const data = Uint8Array.from({ length: height * width * 3 }, () => random.integer(256));
      const image = { data, height, width };
      for (const [size, cropped] of [
        [32, 28],
        [24, 24],
        [40, 17],
        [16, 20],
      ] as const) {
        const apart = centerCrop(cropped).apply(resize(size).apply(image, random), random);
        const joined = compose([resize(size), centerCrop(cropped), toRaw()]).apply(image, random);
        expect(joined.data).toEqual(compose([toRaw()]).apply(apart, random).data);
      }
    }
  });

  it('describes itself and leaves the input alone', () => {
    const before = Uint8Array.from(image.data);
    const transform = compose([resize(16), centerCrop(16), toRaw(), normalize([1, 2, 3], [1, 1, 1])]);
    expect(transform.description).toBe(
      'resize(16, bilinear) → centerCrop(16) → toRaw() → normalize([1, 2, 3], [1, 1, 1])',
    );
    const output = transform.apply(image, random());
    expect(output.data).toHaveLength(3 * 16 * 16);
    expect(image.data).toEqual(before);
  });

  it('keeps bytes as they are with toRaw', () => {
    const output = compose([toRaw()]).apply(positions(2, 3), random());
    expect([...output.data]).toEqual([0, 0, 0, 1, 1, 1, 0, 1, 2, 0, 1, 2, 7, 7, 7, 7, 7, 7]);
  });

  it('refuses steps out of order and bad parameters', () => {
    expect(() => compose([toFloat(), centerCrop(3)])).toThrow('centerCrop(3) stands too late');
    expect(() => compose([normalize([0, 0, 0], [1, 1, 1]), toFloat()])).toThrow('toFloat() stands too late');
    expect(() => compose([centerCrop(3)])).toThrow('0 conversions were given');
    expect(() => compose([toFloat(), toRaw()])).toThrow('2 conversions were given');
    expect(() => normalize([0, 0], [1, 1])).toThrow('three means');
    expect(() => normalize([0, 0, 0], [1, 0, 1])).toThrow('positive stds');
    expect(() => resize(0)).toThrow('resize needs whole numbers');
    expect(() => randomResizedCrop(3, { scale: [0.5, 0.2] })).toThrow('0 < low ≤ high');
    expect(() => randomHorizontalFlip(2)).toThrow('probability from 0 to 1');
  });
});
