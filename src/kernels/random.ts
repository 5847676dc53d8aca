/**
 * Counter-based random numbers: the i-th number depends on (seed, stream, i) alone, so every device and any number of threads
 * draw the same bits. Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as
 * 1, 2, 3").
 */
import { defineKernel } from './contract.ts';

const ROTATIONS = [13, 15, 26, 6, 17, 29, 16, 24] as const;
const PARITY = 0x1bd11bda;

/** The first word of Threefry-2x32-20 for a key and a counter of two words each (unsigned 32-bit). */
export function threefry2x32(key0: number, key1: number, counter0: number, counter1: number): [number, number] {
  const keys = [key0, key1, PARITY ^ key0 ^ key1];
  let x0 = (counter0 + key0) | 0;
  let x1 = (counter1 + key1) | 0;
  for (let round = 0; round < 20; round++) {
    const rotation = ROTATIONS[round % 8]!;
    x0 = (x0 + x1) | 0;
    x1 = (x1 << rotation) | (x1 >>> (32 - rotation));
    x1 ^= x0;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x0 = (x0 + keys[injection % 3]!) | 0;
      x1 = (x1 + keys[(injection + 1) % 3]! + injection) | 0;
    }
  }
  return [x0 >>> 0, x1 >>> 0];
}

export const randomUniform = defineKernel({
  name: 'randomUniform',
  summary: 'out[i] = ⌊threefry(key = (seed, stream), counter = (i, 0)) / 2⁸⌋·2⁻²⁴, uniform on [0, 1)',
  constants: {},
  params: { count: 'u32', seed: 'u32', stream: 'u32' },
  buffers: { out: { type: 'f32', access: 'write' } },
  tolerance: 0,
  sizes: ({ count }) => ({ out: count }),
  flops: () => 0,
  reference({ out }, { count, seed, stream }) {
    for (let i = 0; i < count; i++) out[i] = (threefry2x32(seed, stream, i, 0)[0] >>> 8) * 2 ** -24;
  },
});
