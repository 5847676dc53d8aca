/** Numbers as a reader wants them. */

/** `72.54 %` of 0.7254. */
export const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)} %`;

/** Percentage points with their sign: `+1.9`, `−0.4`. */
export function points(share: number, digits = 1): string {
  const text = (100 * Math.abs(share)).toFixed(digits);
  return `${share < 0 && Number(text) !== 0 ? '−' : '+'}${text}`;
}

export const probability = (p: number): string => (p < 0.001 ? 'p < 0.001' : `p = ${p.toFixed(p < 0.1 ? 3 : 2)}`);

/** Three digits that count. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3
    ? value.toExponential(1).replace('.0e', 'e').replace('e+', 'e')
    : String(Number(value.toPrecision(3)));
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** `a, b and c`. */
export const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

/** Places for ticks on a logarithmic scale: `digits` times the powers of ten, as far as the values reach. */
export function logTicks(low: number, high: number, digits: readonly number[] = [1]): number[] {
  const [from, to] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const ticks = powers.flatMap((power) => digits.map((digit) => Number(`${digit}e${power}`)));
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** `1 min 40 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const total = Math.round(seconds);
  if (total < 60) return `${total} s`;
  if (total < 3600) return `${Math.floor(total / 60)} min ${total % 60} s`;
  return `${Math.floor(total / 3600)} h ${Math.floor((total % 3600) / 60)} min`;
}
