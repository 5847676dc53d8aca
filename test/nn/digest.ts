import { createHash } from 'node:crypto';
import type { LoadableState } from '../../src/nn/index.ts';

/** Two states have the same digest when they hold the same names, shapes and numbers; f32 and f64 are not told apart. */
export function digestOf(state: LoadableState): string {
  const hash = createHash('sha256');
  for (const [name, { shape, data }] of state) {
    hash
      .update(`${name}[${shape}]`)
      .update(new Uint8Array(Float64Array.from(data as ArrayLike<number>, Number).buffer));
  }
  return hash.digest('hex');
}
