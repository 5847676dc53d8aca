/**
 * Seeded randomness on the host: shuffles, splits, augmentation, initial weights.
 *
 * The generator is xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021): 128 bits of
 * state, 32 bits a draw, period 2^128 - 1. Beside its state a generator has a *key*, fixed at birth. `fork(label)` hashes key
 * and label into the key of an independent stream and neither reads nor moves the state, so a fork is the same however many
 * numbers were drawn before it: the augmentation of image 17 in epoch 3 is `fork(3).fork(17)`, in whatever order images load.
 */

/** All there is of a generator, as plain numbers: what a checkpoint keeps. */
export interface RandomState {
  /** Four 32-bit words that name the stream. */
  readonly key: readonly number[];
  /** Four 32-bit words: where in the stream the generator stands. */
  readonly words: readonly number[];
}

/** The finalizer of MurmurHash3: a bijection of 32-bit words in which each input bit flips each output bit half the time. */
function mix32(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/** Mixes one 32-bit word into the key, in place. Two rounds, so that every word of the key depends on every other. */
function absorb(key: Uint32Array, word: number): void {
  let carry = word;
  for (let step = 0; step < 8; step++) {
    carry = mix32(key[step & 3]! + carry + 0x9e3779b9);
    key[step & 3] = carry;
  }
}

const NUMBER_TAG = 1;
const STRING_TAG = 2;

function absorbLabel(key: Uint32Array, label: number | string): void {
  if (typeof label === 'string') {
    absorb(key, STRING_TAG);
    absorb(key, label.length);
    for (let i = 0; i < label.length; i++) absorb(key, label.charCodeAt(i));
    return;
  }
  if (!Number.isSafeInteger(label) || label < 0) {
    throw new RangeError(`A seed or stream number must be a whole number from 0 to 2^53 - 1, but got ${label}.`);
  }
  absorb(key, NUMBER_TAG);
  absorb(key, label >>> 0);
  absorb(key, Math.floor(label / 2 ** 32));
}

function fourWords(words: readonly number[], what: string): Uint32Array {
  if (words.length !== 4 || words.some((w) => !Number.isInteger(w) || w < 0 || w >= 2 ** 32)) {
    throw new RangeError(`The ${what} of a random state must be four 32-bit words, but got [${words.join(', ')}].`);
  }
  return Uint32Array.from(words);
}

const rotateLeft = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

export class Random {
  readonly #key: Uint32Array;
  readonly #words: Uint32Array;

  /**
   * `seed`: a whole number from 0 to 2^53 - 1; equal seeds give equal streams. A saved `RandomState` goes on where the
   * generator it came from stood.
   */
  constructor(seed: number | RandomState) {
    if (typeof seed === 'number') {
      this.#key = new Uint32Array(4);
      absorbLabel(this.#key, seed);
      this.#words = Uint32Array.from(this.#key);
    } else {
      this.#key = fourWords(seed.key, 'key');
      this.#words = fourWords(seed.words, 'words');
    }
    // The all-zero state is the one fixed point of xoshiro.
    if (this.#words.every((word) => word === 0)) this.#words[0] = 1;
  }

  /** The state as plain numbers; `new Random(state)` continues from it. */
  state(): RandomState {
    return { key: [...this.#key], words: [...this.#words] };
  }

  /** An independent stream named by this generator's key and `label`; does not depend on what was drawn before. */
  fork(label: number | string): Random {
    const key = Uint32Array.from(this.#key);
    absorbLabel(key, label);
    const words = [...key];
    return new Random({ key: words, words });
  }

  /** 32 random bits as a whole number in [0, 2^32). */
  bits(): number {
    const s = this.#words;
    const [s0, s1, s2, s3] = [s[0]!, s[1]!, s[2]!, s[3]!];
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const t2 = s2 ^ s0;
    const t3 = s3 ^ s1;
    s[1] = s1 ^ t2;
    s[0] = s0 ^ t3;
    s[2] = t2 ^ (s1 << 9);
    s[3] = rotateLeft(t3, 11);
    return result;
  }

  /** Uniform in [0, 1), a multiple of 2^-53. */
  uniform(): number {
    const high = this.bits() >>> 5;
    const low = this.bits() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  /** Uniform whole number in [0, n), without modulo bias; n from 1 to 2^32. */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new RangeError(`integer(n) needs a whole n from 1 to 2^32, but got ${n}.`);
    }
    const limit = 2 ** 32 - (2 ** 32 % n);
    let draw = this.bits();
    while (draw >= limit) draw = this.bits();
    return draw % n;
  }

  /**
   * Standard normal, by Box and Muller: sqrt(-2 ln(1 - u)) cos(2 pi v). Engines may round `Math.log` and `Math.cos`
   * differently in the last bit; everything else here is the same everywhere.
   */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Shuffles in place (Fisher and Yates) and returns the same array; all orders are equally likely. */
  shuffle<T extends { readonly length: number; [index: number]: unknown }>(array: T): T {
    const slots: { [index: number]: unknown } = array;
    for (let last = array.length - 1; last > 0; last--) {
      const other = this.integer(last + 1);
      const kept = slots[last];
      slots[last] = slots[other];
      slots[other] = kept;
    }
    return array;
  }

  /** Gamma(shape, 1), shape > 0: Marsaglia & Tsang 2000; below 1 by a draw at shape + 1 (their section 6). */
  gamma(shape: number): number {
    if (!(shape > 0)) throw new RangeError(`A gamma variate needs a shape > 0, got ${shape}.`);
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    while (true) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  /** Beta(a, b), a and b > 0. */
  beta(a: number, b: number): number {
    const [x, y] = [this.gamma(a), this.gamma(b)];
    // Both can underflow where a and b are tiny: then it is one of the ends.
    return x + y > 0 ? x / (x + y) : this.uniform() < a / (a + b) ? 1 : 0;
  }

  /** A random order of 0 … n-1. */
  permutation(n: number): Int32Array {
    return this.shuffle(Int32Array.from({ length: n }, (_, i) => i));
  }
}
