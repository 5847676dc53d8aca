/** The bounds study for people: the bounds at the base, and how they grow. */
import { BOUNDS_SERIES, type BoundsGrid, baseOf, type Variable } from '../experiments/boundsGrid.ts';
import type { BoundsGroup, BoundsSummary, Growth } from '../experiments/boundsSummary.ts';
import { formatTable } from './output.ts';

const UNITS: Readonly<Record<Variable, string>> = {
  width: 'exponent of the width',
  hiddenLayers: 'decades per hidden layer',
  examples: 'exponent of the number of training images',
};

export function boundsStudyText(summary: BoundsSummary, grid: BoundsGrid): string {
  return [
    'log10 of every bound on the Rademacher complexity at the base, mean over the seeds; facts of the networks below:',
    baseTable(summary, grid),
    ...BOUNDS_SERIES.flatMap(({ network, variable }) => {
      const own = summary.growth.filter((growth) => growth.network === network && growth.variable === variable);
      const isVaried = own.some(({ measured }) => Object.values(measured).some((slope) => slope !== null));
      return isVaried
        ? ['', `Growth, ${network}: ${UNITS[variable]}.${explained(own)}`, growthTable(summary, own)]
        : [];
    }),
    '',
    'Above 0 a bound says nothing about the loss itself; what informs is the difference between two rows, and how they grow.',
  ].join('\n');
}

const explained = ([first]: readonly Growth[]): string =>
  first?.explicit ? ' In brackets: with the norms of the narrowest network, what stands in the formula itself.' : '';

const atBase = (grid: BoundsGrid) => (group: BoundsGroup) =>
  group.examples === baseOf(grid.examples) &&
  (group.network === 'mlp'
    ? group.width === baseOf(grid.widths) && group.hiddenLayers === baseOf(grid.hiddenLayers)
    : group.width === baseOf(grid.channels));

const signed = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toFixed(2);

function baseTable({ names, groups }: BoundsSummary, grid: BoundsGrid): string {
  const shown = groups.filter(atBase(grid));
  const facts: [string, (group: BoundsGroup) => string][] = [
    ['parameters', ({ parameters }) => String(parameters)],
    ['training loss', ({ trainLoss }) => trainLoss.toFixed(3)],
    ['test accuracy', ({ testAccuracy }) => `${(100 * testAccuracy).toFixed(1)} %`],
    ['MARS distance, farthest layer', ({ marsDistance }) => marsDistance.toFixed(2)],
    ['MARS distance, classifier', ({ headMarsDistance }) => headMarsDistance.toFixed(2)],
    ['spectral distance, sum', ({ spectralDistance }) => spectralDistance.toFixed(2)],
  ];
  return formatTable([
    ['bound', 'norm', ...shown.map(({ network, width, start }) => `${network} ${width} ${start}`)],
    ...names.map(({ id, name, norm }) => [name, norm, ...shown.map(({ bounds }) => signed(bounds[id]?.mean))]),
    ...facts.map(([label, read]) => [label, '', ...shown.map(read)]),
  ]);
}

function growthTable({ names }: BoundsSummary, growth: readonly Growth[]): string {
  const cell = ({ measured, explicit }: Growth, id: string) =>
    explicit ? `${signed(measured[id])} (${signed(explicit[id])})` : signed(measured[id]);
  return formatTable([
    ['bound', 'norm', ...growth.map(({ start }) => start)],
    ...names.map(({ id, name, norm }) => [name, norm, ...growth.map((one) => cell(one, id))]),
  ]);
}
