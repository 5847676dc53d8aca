/** Seeded contents of buffers. */

export class Data {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Uniform on [0, 1): splitmix32, enough for contents of tests. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  }

  /** Uniform on {0, …, below − 1}. */
  index(below: number): number {
    return Math.floor(this.next() * below);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.index(values.length)]!;
  }

  floats(length: number, make: (i: number) => number): Float32Array {
    return Float32Array.from({ length }, (_, i) => make(i));
  }

  uniform(length: number, low: number, high: number): Float32Array {
    return this.floats(length, () => low + (high - low) * this.next());
  }

  /** Of either sign, at least `low` from zero. */
  signed(length: number, low: number, high: number): Float32Array {
    return this.floats(length, () => (low + (high - low) * this.next()) * (this.next() < 0.5 ? -1 : 1));
  }

  /**
   * To be summed: of both signs but mostly positive, so that no sum of products cancels to nothing (the relative error of
   * such a sum would measure the data, not the kernel).
   */
  summands(length: number): Float32Array {
    return this.uniform(length, -0.25, 1);
  }

  /** Few different values, zero and ties among them. */
  levels(length: number): Float32Array {
    return this.floats(length, () => (this.index(9) - 4) / 4);
  }

  integers(length: number, low: number, high: number): Int32Array {
    return Int32Array.from({ length }, () => low + this.index(high - low + 1));
  }

  /** `count` different indices below `below`, in random order. */
  places(count: number, below: number): number[] {
    const all = Array.from({ length: below }, (_, i) => i);
    for (let i = 0; i < count; i++) {
      const j = i + this.index(below - i);
      [all[i], all[j]] = [all[j]!, all[i]!];
    }
    return all.slice(0, count);
  }
}
