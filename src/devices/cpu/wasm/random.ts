/** Threefry-2x32-20 (Salmon et al. 2011): the i-th number is a function of (seed, stream, i) alone. */
import { CHUNK } from '../layout';

@unmanaged
class RandomParams {
  out: usize;
  count: u32;
  seed: u32;
  stream: u32;
}

@inline
function round(x0: v128, x1: v128, rotation: u32): v128 {
  return v128.xor(v128.or(i32x4.shl(x1, rotation), i32x4.shr_u(x1, 32 - rotation)), x0);
}

/** First words of the four blocks whose counters are (counter, 0). */
function threefry4(key0: u32, key1: u32, counter: v128): v128 {
  const k0 = i32x4.splat(key0);
  const k1 = i32x4.splat(key1);
  const k2 = i32x4.splat(0x1bd11bda ^ key0 ^ key1);
  let x0 = i32x4.add(counter, k0);
  let x1 = k1;
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 13);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 15);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 26);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 6);
  x0 = i32x4.add(x0, k1); x1 = i32x4.add(x1, i32x4.add(k2, i32x4.splat(1)));
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 17);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 29);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 16);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 24);
  x0 = i32x4.add(x0, k2); x1 = i32x4.add(x1, i32x4.add(k0, i32x4.splat(2)));
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 13);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 15);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 26);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 6);
  x0 = i32x4.add(x0, k0); x1 = i32x4.add(x1, i32x4.add(k1, i32x4.splat(3)));
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 17);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 29);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 16);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 24);
  x0 = i32x4.add(x0, k1); x1 = i32x4.add(x1, i32x4.add(k2, i32x4.splat(4)));
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 13);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 15);
  x0 = i32x4.add(x0, x1); x1 = round(x0, x1, 26);
  x0 = i32x4.add(x0, x1);
  return i32x4.add(x0, k2);
}

export function randomUniform(at: usize, task: u32): void {
  const p = changetype<RandomParams>(at);
  const end = min<u32>(p.count, (task + 1) * CHUNK);
  const unit = f32x4.splat(5.9604644775390625e-8);
  let counter = i32x4.add(i32x4.splat(task * CHUNK), i32x4(0, 1, 2, 3));
  for (let i = task * CHUNK; i < end; i += 4, counter = i32x4.add(counter, i32x4.splat(4))) {
    const bits = i32x4.shr_u(threefry4(p.seed, p.stream, counter), 8);
    const value = f32x4.mul(f32x4.convert_i32x4_u(bits), unit);
    const out = p.out + i * 4;
    if (i + 4 <= end) v128.store(out, value);
    else {
      v128.store32_lane(out, value, 0);
      if (i + 1 < end) v128.store32_lane(out + 4, value, 1);
      if (i + 2 < end) v128.store32_lane(out + 8, value, 2);
    }
  }
}
