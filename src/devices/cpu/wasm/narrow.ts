/**
 * Convolution with one or two outputs to a group, above all depthwise: a register tile of eight outputs would be mostly
 * empty, so one output is computed at sixteen pixels at a time.
 */
import { advance, ConvolveParams, Phase, seek, Walk } from './phase';
import { targetOf, tileOf } from './tile';

/**
 * c[j] = Σₚ a[p]·b[j, p], sixteen pixels j in four vectors; b[j, p] as in `multiplyTile`. The a[p] are one lane of a
 * panel, 32 bytes apart.
 */
export function multiplyLane(
  k: u32,
  a: usize,
  offsets: usize,
  b0: usize,
  b1: usize,
  b2: usize,
  b3: usize,
  c0: usize,
  c1: usize,
  c2: usize,
  c3: usize,
): void {
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (let p: u32 = 0; p < k; p++) {
    const offset = load<u32>(offsets);
    const value = v128.load32_splat(a);
    s0 = f32x4.add(s0, f32x4.mul(value, v128.load(b0 + offset)));
    s1 = f32x4.add(s1, f32x4.mul(value, v128.load(b1 + offset)));
    s2 = f32x4.add(s2, f32x4.mul(value, v128.load(b2 + offset)));
    s3 = f32x4.add(s3, f32x4.mul(value, v128.load(b3 + offset)));
    a += 32;
    offsets += 4;
  }
  v128.store(c0, s0);
  v128.store(c1, s1);
  v128.store(c2, s2);
  v128.store(c3, s3);
}

/** Four vectors of a walk, each 12 bytes: where it reads, where it writes, how many columns it has. */
@unmanaged
class Place {
  b: usize;
  c: usize;
  count: u32;
}

@inline
function placeOf(places: usize, i: u32): Place {
  return changetype<Place>(places + i * offsetof<Place>());
}

/** All outputs of one phase in block rows first … end, as `convolvePhase` computes them. */
export function convolveNarrow(
  p: ConvolveParams,
  phase: Phase,
  image: usize,
  pitchBytes: u32,
  filters: usize,
  out: usize,
  first: u32,
  end: u32,
  origin: u32,
  thread: u32,
): void {
  const planeBytes = p.outHeight * p.outWidth * 4;
  const tile = tileOf(thread);
  const walk = changetype<Walk>(changetype<usize>(targetOf(thread)) + 64);
  const places = changetype<usize>(targetOf(thread)) + 128;
  const offsets = p.offsets + phase.firstTerm * 4;
  walk.row = first;
  walk.column = 0;
  while (walk.row < end) {
    let isWhole = phase.outColumnStep == 1;
    for (let i: u32 = 0; i < 4; i++) {
      const place = placeOf(places, i);
      if (walk.row < end) seek(walk, p, phase, image, pitchBytes, origin, out);
      place.b = walk.b;
      place.c = walk.c;
      place.count = walk.row < end ? walk.count : 0;
      isWhole = isWhole && place.count == 4;
      advance(walk, phase);
    }
    const b0 = placeOf(places, 0).b;
    const b1 = placeOf(places, 1).b;
    const b2 = placeOf(places, 2).b;
    const b3 = placeOf(places, 3).b;
    for (let lane: u32 = 0; lane < p.lanes; lane++) {
      const a = filters + lane * 4;
      const plane = lane * planeBytes;
      if (isWhole) {
        const c0 = placeOf(places, 0).c + plane;
        const c1 = placeOf(places, 1).c + plane;
        const c2 = placeOf(places, 2).c + plane;
        const c3 = placeOf(places, 3).c + plane;
        multiplyLane(phase.terms, a, offsets, b0, b1, b2, b3, c0, c1, c2, c3);
        continue;
      }
      multiplyLane(phase.terms, a, offsets, b0, b1, b2, b3, tile, tile + 16, tile + 32, tile + 48);
      for (let i: u32 = 0; i < 4; i++) {
        const place = placeOf(places, i);
        for (let j: u32 = 0; j < place.count; j++) {
          store<f32>(place.c + plane + j * phase.outColumnStep * 4, load<f32>(tile + i * 16 + j * 4));
        }
      }
    }
  }
}
