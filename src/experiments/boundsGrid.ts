/** Which networks the bounds study trains: one thing at a time is varied, the others stay at their base. */
import { type BoundsCase, STUDY_STARTS, type StudyStart } from './boundsStudy.ts';

/** A list's second value is its base (of a single one: the first). */
export interface BoundsGrid {
  /** Units of the fully connected networks' hidden layers. */
  readonly widths: readonly number[];
  /** Channels of the convolutional networks' first layer. */
  readonly channels: readonly number[];
  readonly hiddenLayers: readonly number[];
  /** Training images of the task. */
  readonly examples: readonly number[];
  readonly starts: readonly StudyStart[];
  /** 0, 1, … */
  readonly seeds: number;
}

export const BOUNDS_GRID: BoundsGrid = {
  widths: [16, 64, 256],
  channels: [4, 8, 16],
  hiddenLayers: [1, 2, 4],
  examples: [200, 1000, 5000],
  starts: STUDY_STARTS,
  seeds: 3,
};

/** The convolutional networks' depth: the theorems' factors come with every layer, and three are enough to see them. */
const CONVOLUTIONS = 2;

export const baseOf = (values: readonly number[]): number => values[1] ?? values[0]!;

export type Variable = 'width' | 'hiddenLayers' | 'examples';

/** What varies in a series; the fully connected networks are varied in all, the convolutional in their width. */
export interface BoundsSeries {
  readonly network: BoundsCase['network'];
  readonly variable: Variable;
}

export const BOUNDS_SERIES: readonly BoundsSeries[] = [
  { network: 'mlp', variable: 'width' },
  { network: 'convnet', variable: 'width' },
  { network: 'mlp', variable: 'hiddenLayers' },
  { network: 'mlp', variable: 'examples' },
];

type Shape = Omit<BoundsCase, 'start' | 'seed'>;

/** The networks of one series, in the order of what varies. */
export function shapesOf({ network, variable }: BoundsSeries, grid: BoundsGrid): Shape[] {
  const base: Shape = {
    network,
    width: baseOf(network === 'mlp' ? grid.widths : grid.channels),
    hiddenLayers: network === 'mlp' ? baseOf(grid.hiddenLayers) : CONVOLUTIONS,
    examples: baseOf(grid.examples),
  };
  const widths = network === 'mlp' ? grid.widths : grid.channels;
  const values = { width: widths, hiddenLayers: grid.hiddenLayers, examples: grid.examples }[variable];
  return [...values].sort((a, b) => a - b).map((value) => ({ ...base, [variable]: value }));
}

/** Every network of the grid once; those that begin with the same pre-trained weights stand together. */
export function boundsCases(grid: BoundsGrid): BoundsCase[] {
  const shapes = new Map(
    BOUNDS_SERIES.flatMap((series) => shapesOf(series, grid)).map((shape) => [JSON.stringify(shape), shape]),
  );
  const seeds = Array.from({ length: grid.seeds }, (_, seed) => seed);
  return [...shapes.values()].flatMap((shape) =>
    seeds.flatMap((seed) => grid.starts.map((start) => ({ ...shape, start, seed }))),
  );
}
