/**
 * A difference hash of 64 bits (dHash; N. Krawetz, 2013): the image in grey, averaged down to 9 × 8 cells; bit (i, j) says whether cell
 * (i, j + 1) is brighter than cell (i, j). Small changes of brightness, contrast, size or compression leave most bits alone; the number of
 * differing bits is the distance.
 */
import type { RawImage } from '../../../data/index.ts';

const [COLUMNS, ROWS] = [9, 8];

/** Two words of 32 bits. */
export type ImageHash = readonly [number, number];

export function differenceHash({ data, height, width }: RawImage): ImageHash {
  const cells = averagedGrey(data, height, width);
  const words: [number, number] = [0, 0];
  for (let i = 0; i < ROWS; i++) {
    for (let j = 0; j + 1 < COLUMNS; j++) {
      const bit = i * (COLUMNS - 1) + j;
      if (cells[i * COLUMNS + j + 1]! > cells[i * COLUMNS + j]!) words[bit >> 5]! |= 1 << (bit & 31);
    }
  }
  return words;
}

/** (8 · 9) means of Rec. 601 luma over areas; a pixel counts in the cells that it overlaps, by its share. */
function averagedGrey(data: ArrayLike<number>, height: number, width: number): Float64Array {
  const cells = new Float64Array(ROWS * COLUMNS);
  const [down, across] = [shares(height, ROWS), shares(width, COLUMNS)];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      const grey = 0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;
      for (const [i, rowShare] of down[y]!)
        for (const [j, columnShare] of across[x]!) cells[i * COLUMNS + j]! += grey * rowShare * columnShare;
    }
  }
  return cells;
}

/** For every pixel of a line, the cells that it overlaps and its part of each cell's mean. */
function shares(pixels: number, cells: number): [cell: number, share: number][][] {
  const length = pixels / cells;
  return Array.from({ length: pixels }, (_, pixel) => {
    const own: [number, number][] = [];
    for (let cell = Math.floor(pixel / length); cell < cells && cell * length < pixel + 1; cell++) {
      const overlap = Math.min(pixel + 1, (cell + 1) * length) - Math.max(pixel, cell * length);
      if (overlap > 0) own.push([cell, overlap / length]);
    }
    return own;
  });
}

function ones(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Bits in which they differ, 0 … 64. */
export const hashDistance = (a: ImageHash, b: ImageHash): number => ones(a[0] ^ b[0]) + ones(a[1] ^ b[1]);

/** Bits by which neighbouring cells differ in brightness at all: a plain image has next to none, and its hash says nothing. */
export const isTelling = ([low, high]: ImageHash): boolean => {
  const set = ones(low) + ones(high);
  return set >= 12 && set <= 52;
};
