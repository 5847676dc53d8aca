/** Values on the command line: each parser takes the text after an option and says what is wrong with it. */
import { InvalidArgumentError } from 'commander';
import { parseRecordPlan } from '../audit/format.ts';
import { didYouMean } from '../tensor/suggest.ts';
import type { RecordPlan } from '../train/index.ts';

type Parser<T> = (text: string) => T;

const asNumber = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text));

/** A whole number of at least `least`. */
export function wholeNumber(least: number): Parser<number> {
  return (text) => {
    const value = asNumber(text);
    if (!Number.isSafeInteger(value) || value < least)
      throw new InvalidArgumentError(`It must be a whole number ≥ ${least}.`);
    return value;
  };
}

/** A finite number within `least` … `most`. */
export function number(least: number, most = Number.POSITIVE_INFINITY): Parser<number> {
  const range = most === Number.POSITIVE_INFINITY ? `≥ ${least}` : `from ${least} to ${most}`;
  return (text) => {
    const value = asNumber(text);
    if (!Number.isFinite(value) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a number ${range}.`);
    return value;
  };
}

/** A number ≥ 0, or `inf` for none. */
export function radius(text: string): number {
  const value = text.toLowerCase() === 'inf' ? Number.POSITIVE_INFINITY : asNumber(text);
  if (!(value >= 0)) throw new InvalidArgumentError("A radius is a number ≥ 0, or 'inf' for no bound.");
  return value;
}

/** One of the names; a mistyped one is answered with the nearest. */
export function choice<T extends string>(names: readonly T[]): Parser<T> {
  return (text) => {
    const found = names.find((name) => name === text);
    if (found === undefined)
      throw new InvalidArgumentError(`${didYouMean(text, names).trim()} Choose one of: ${names.join(', ')}.`.trim());
    return found;
  };
}

/** `a,b,c`. */
export function list(text: string): string[] {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (names.length === 0) throw new InvalidArgumentError('It must be names separated by commas.');
  return names;
}

/** Names out of a list, separated by commas. */
export function choices<T extends string>(names: readonly T[]): Parser<T[]> {
  return (text) => list(text).map(choice(names));
}

/** Numbers separated by commas, each as `one` reads it. */
export function listOf(one: Parser<number>): Parser<number[]> {
  return (text) => list(text).map(one);
}

/** Whole numbers of at least `least`: `16,64,256`. */
export const wholeNumbers = (least: number): Parser<number[]> => listOf(wholeNumber(least));

/** Two whole numbers: `2,9`. */
export function pair(text: string): [number, number] {
  const values = text.split(',').map(asNumber);
  if (values.length !== 2 || !values.every(Number.isSafeInteger))
    throw new InvalidArgumentError('It must be two whole numbers separated by a comma.');
  return values as [number, number];
}

/** Three numbers, for red, green, blue: `0.485,0.456,0.406`. */
export function rgb(text: string): [number, number, number] {
  const values = text.split(',').map(asNumber);
  if (values.length !== 3 || !values.every(Number.isFinite))
    throw new InvalidArgumentError('It must be three numbers separated by commas (red, green, blue).');
  return values as [number, number, number];
}

/** Steps to record for an audit: `first,last,every:50`. */
export function recordPlan(text: string): RecordPlan {
  try {
    return parseRecordPlan(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/** `1,240`, or `all`. */
export function stepList(text: string): number[] | 'all' {
  if (text === 'all') return text;
  return text.split(',').map(wholeNumber(1));
}
