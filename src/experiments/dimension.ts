/** Dimensions of a search space as people write them. */
import { checkSpace, type Dimension, type SearchSpace } from './space.ts';

/**
 * `0.001..0.1` between these, evenly by the logarithm; `uniform:0.8..0.99` evenly; `10|20|30` one of them. Throws, naming the
 * dimension, where the text says none of these.
 */
export function parseDimension(name: string, text: string): Dimension {
  const dimension = rangeOf(text) ?? choiceOf(text);
  if (!dimension)
    throw new RangeError(
      `the search space's ${name}: "${text}" is none of 0.001..0.1 (by the logarithm), uniform:0.8..0.99, 10|20|30`,
    );
  checkSpace({ [name]: dimension });
  return dimension;
}

function rangeOf(text: string): Dimension | undefined {
  const [, uniform, from, to] = /^(uniform:)?(.+?)\.\.(.+)$/.exec(text.trim()) ?? [];
  const [low, high] = [Number(from), Number(to)];
  if (from === undefined || !Number.isFinite(low) || !Number.isFinite(high)) return undefined;
  return { kind: uniform ? 'uniform' : 'logUniform', low, high };
}

function choiceOf(text: string): Dimension | undefined {
  const options = text.split('|').map((option) => option.trim());
  if (options.length < 2 || options.includes('')) return undefined;
  const numbers = options.map(Number);
  return { kind: 'choice', options: numbers.every(Number.isFinite) ? numbers : options };
}

export const parseSpace = (texts: Readonly<Record<string, string>>): SearchSpace =>
  Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, parseDimension(name, text)]));
