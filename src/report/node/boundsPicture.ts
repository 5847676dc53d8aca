/** The picture of the bounds study: every bound against what was varied, one panel per network and start. */
import * as Plot from '@observablehq/plot';
import {
  BOUNDS_SERIES,
  type BoundsGrid,
  type BoundsSeries,
  shapesOf,
  type Variable,
} from '../../experiments/boundsGrid.ts';
import { type BoundsSummary, nameOf } from '../../experiments/boundsSummary.ts';
import { drawFigure, type LegendEntry, type Panel } from './figure.ts';

/** The norm is the colour, the authors are the dash. Theorem 1 stands once: its two forms are parallel. */
const LOOKS: Readonly<Record<string, Omit<LegendEntry, 'title'>>> = {
  'gouk-mars-sqrt': { color: '#00798c', width: 3 },
  'gouk-frobenius': { color: '#d1495b', width: 3 },
  bartlett: { color: '#6a4c93' },
  'neyshabur-mars': { color: '#00798c', dash: '6 3' },
  'neyshabur-frobenius': { color: '#d1495b', dash: '6 3' },
  'graf-norms': { color: '#6a4c93', dash: '6 3' },
  'golowich-mars': { color: '#00798c', dash: '2 3' },
  'golowich-frobenius': { color: '#d1495b', dash: '2 3' },
  'graf-parameters': { color: '#6a4c93', dash: '2 3' },
};

const AXES: Readonly<Record<Variable, string>> = {
  width: 'width',
  hiddenLayers: 'hidden layers',
  examples: 'training images',
};

interface Point {
  readonly id: string;
  readonly x: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Rows: series; columns: starts. */
export function drawBounds(summary: BoundsSummary, grid: BoundsGrid): string {
  const panels = BOUNDS_SERIES.filter((series) => shapesOf(series, grid).length > 1).flatMap((series) =>
    grid.starts.map((start) => panelOf(summary, grid, series, start)),
  );
  const title = (id: string) => {
    const { name, norm } = summary.names.find((one) => one.id === id)!;
    return `${name.replace(/, with .*/, '')} (${norm})`;
  };
  return drawFigure(panels, {
    description:
      'log10 of nine generalisation bounds against width, depth and training images, by the start of the training',
    columns: grid.starts.length,
    panelWidth: 320,
    panelHeight: 250,
    legend: Object.entries(LOOKS).map(([id, look]) => ({ ...look, title: title(id) })),
  });
}

function panelOf(
  summary: BoundsSummary,
  grid: BoundsGrid,
  series: BoundsSeries,
  start: BoundsGrid['starts'][number],
): Panel {
  const { network, variable } = series;
  const points = (from: typeof start): Point[] =>
    shapesOf(series, grid).flatMap((shape) => {
      const group = summary.groups.find((one) => nameOf(one) === nameOf({ ...shape, start: from }));
      return Object.keys(LOOKS).flatMap((id) => {
        const bound = group?.bounds[id];
        return bound ? [{ id, x: shape[variable], ...bound }] : [];
      });
    });
  // The panels of a row share their scale.
  const all = grid.starts.flatMap(points);
  const domain = [Math.min(...all.map(({ low }) => low)), Math.max(...all.map(({ high }) => high))];
  const own = points(start);
  const ticks = shapesOf(series, grid).map((shape) => shape[variable]);
  const color = ({ id }: Point) => LOOKS[id]!.color;
  return {
    title: `${network}, ${start}`,
    options: {
      marginLeft: 40,
      marginBottom: 36,
      x: {
        type: variable === 'hiddenLayers' ? 'linear' : 'log',
        label: AXES[variable],
        ticks,
        tickFormat: String,
        insetLeft: 8,
        insetRight: 8,
      },
      y: { label: 'log10 of the bound', grid: true, domain, nice: true },
      marks: [
        ...Object.entries(LOOKS).map(([id, { width = 1.6, dash = 'none' }]) =>
          Plot.line(
            own.filter((point) => point.id === id),
            { x: 'x', y: 'mean', stroke: LOOKS[id]!.color, strokeWidth: width, strokeDasharray: dash },
          ),
        ),
        Plot.link(own, { x1: 'x', x2: 'x', y1: 'low', y2: 'high', stroke: color }),
        Plot.dot(own, { x: 'x', y: 'mean', fill: color, r: 2.2 }),
      ],
    },
  };
}
