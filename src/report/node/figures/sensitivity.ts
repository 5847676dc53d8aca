/** Accuracy when both strengths of a method are multiplied by a factor (the authors' sensitivity script): how exactly must they be tuned? */
import * as Plot from '@observablehq/plot';
import { type BandPoint, bandOf, placeOf } from '../../aggregate.ts';
import { logTicks, percent, plural, short } from '../../format.ts';
import { type Look, lookOfMethod } from '../../looks.ts';
import { figure, type Html } from '../../page/index.ts';
import { imagesOf, type ReportRun } from '../../runs.ts';
import { drawPlot, legend } from '../plot.ts';

interface FactorCurve {
  readonly key: string;
  readonly method: string;
  readonly look: Look;
  readonly points: readonly BandPoint[];
}

/** `runs`: of one task. `place`: of the figure on the page. Null where no run with a factor is complete. */
export function sensitivityFigure(runs: readonly ReportRun[], place: number): Html | null {
  const complete = runs.filter(({ factor, summary }) => factor !== null && summary !== null);
  const missing = runs.filter(({ factor }) => factor !== null).length - complete.length;
  if (complete.length === 0) return null;
  const curves = curvesOf(complete);
  const id = `factors-${place}`;
  return figure({
    id,
    title: 'Accuracy over the factor of the strengths',
    caption: [
      `${complete[0]!.conditions}. Both strengths (radii of constraints, coefficients of penalties) times the factor; 1: as they were tuned or given.`,
      'A line is the mean over seeds, its band reaches from the lowest seed to the highest. A flat line needs no exact tuning.',
      missing > 0 ? `Left out: ${plural(missing, 'run')} without an end (diverged, or stopped).` : '',
    ].join(' '),
    legend: legend(curves.map(({ key, method, look }) => ({ name: key, title: method, look }))),
    picture: drawFactors(id, curves, imagesOf(complete)),
    data: {
      columns: ['method', 'factor', 'mean %', 'lowest seed', 'highest seed', 'seeds'].map((title, i) => ({
        title,
        isNumber: i > 0,
      })),
      rows: curves.flatMap(({ method, points }) =>
        points.map(({ x, mean, low, high, count }) => {
          const accuracies = [mean, low, high].map((value) => value.toFixed(2));
          return [method, short(x), ...accuracies, count];
        }),
      ),
    },
  });
}

function curvesOf(complete: readonly ReportRun[]): FactorCurve[] {
  const methods = [...new Set(complete.map(({ method }) => method))].sort((a, b) => placeOf(a) - placeOf(b));
  return methods.map((method, i) => {
    const own = complete.filter((run) => run.method === method);
    const points = bandOf(own.map(({ factor, summary }) => [{ x: factor!, y: 100 * summary!.test.top1 }]));
    return { key: `m${i}`, method, look: lookOfMethod(method, i), points };
  });
}

function drawFactors(id: string, curves: readonly FactorCurve[], images: string): Html {
  const factors = curves.flatMap(({ points }) => points.map(({ x }) => x));
  return drawPlot(id, `Accuracy over factor: ${curves.map(describe).join('; ')}`, {
    width: 860,
    height: 360,
    marginTop: 30,
    marginBottom: 42,
    x: {
      type: 'log',
      label: 'factor →',
      ticks: logTicks(Math.min(...factors), Math.max(...factors)),
      tickFormat: short,
    },
    y: { label: `accuracy on the ${images}, % ↑`, labelArrow: false, grid: true, nice: true },
    marks: curves.flatMap(({ key, method, look: { color, dash, symbol }, points }) => {
      const className = `series ${key}`;
      const title = ({ x, mean }: BandPoint) => `${method}, factor ${short(x)}: ${mean.toFixed(2)} %`;
      return [
        Plot.areaY(points, { x: 'x', y1: 'low', y2: 'high', fill: color, fillOpacity: 0.12, className }),
        Plot.lineY(points, { x: 'x', y: 'mean', stroke: color, strokeWidth: 1.8, strokeDasharray: dash, className }),
        Plot.dot(points, { x: 'x', y: 'mean', fill: color, symbol, r: 3.5, title, className }),
      ];
    }),
  });
}

function describe({ method, points }: FactorCurve): string {
  const means = points.map(({ mean }) => mean / 100);
  return `${method} from ${percent(Math.min(...means))} to ${percent(Math.max(...means))}`;
}
