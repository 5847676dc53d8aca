/** Accuracy when both strengths of a method are multiplied by a factor (PAPER section on sensitivity): how exactly must they be tuned? */
import * as Plot from '@observablehq/plot';
import { type BandPoint, bandOf } from '../../aggregate.ts';
import { percent, plural, short } from '../../format.ts';
import { lookOfMethod } from '../../looks.ts';
import { figure, type Html } from '../../page/index.ts';
import type { ReportRun } from '../../runs.ts';
import { drawPlot, legend } from '../plot.ts';

export function sensitivityFigure(runs: readonly ReportRun[]): Html | null {
  const complete = runs.filter(({ factor, summary }) => factor !== null && summary !== null);
  const missing = runs.filter(({ factor }) => factor !== null).length - complete.length;
  const methods = [...new Set(complete.map(({ method }) => method))];
  if (methods.length === 0) return null;
  const curves = methods.map((method, i) => ({
    key: `m${i}`,
    method,
    look: lookOfMethod(method, i),
    points: bandOf(
      complete
        .filter((run) => run.method === method)
        .map(({ factor, summary }) => [{ x: factor!, y: 100 * summary!.test.top1 }]),
    ),
  }));
  return figure({
    id: 'sensitivity',
    title: 'Accuracy over the factor of the strengths',
    caption:
      'Both strengths (radii of constraints, coefficients of penalties) times the factor; 1: as they were tuned or given. A line is the mean over seeds, its band reaches from the lowest seed to the highest. A flat line needs no exact tuning.' +
      (missing > 0
        ? ` ${plural(missing, 'run')} came to no end (diverged, or stopped) and ${missing === 1 ? 'is' : 'are'} left out.`
        : ''),
    legend: legend(curves.map(({ key, method, look }) => ({ name: key, title: method, look }))),
    picture: drawPlot('sensitivity', `Accuracy over factor: ${curves.map(describe).join('; ')}`, {
      width: 860,
      height: 360,
      marginTop: 30,
      x: {
        type: 'log',
        label: 'factor →',
        tickFormat: (value: number) => (/^1e/.test(value.toExponential()) ? short(value) : ''),
      },
      y: { label: 'accuracy on the test images, % ↑', labelArrow: false, grid: true, nice: true },
      marks: curves.flatMap(({ key, method, look: { color, dash, symbol }, points }) => {
        const className = `series ${key}`;
        const title = ({ x, mean }: BandPoint) => `${method}, factor ${short(x)}: ${mean.toFixed(2)} %`;
        return [
          Plot.areaY(points, { x: 'x', y1: 'low', y2: 'high', fill: color, fillOpacity: 0.12, className }),
          Plot.lineY(points, { x: 'x', y: 'mean', stroke: color, strokeWidth: 1.8, strokeDasharray: dash, className }),
          Plot.dot(points, { x: 'x', y: 'mean', fill: color, symbol, r: 3.5, title, className }),
        ];
      }),
    }),
    data: {
      columns: ['method', 'factor', 'mean %', 'lowest seed', 'highest seed', 'seeds'].map((title, i) => ({
        title,
        isNumber: i > 0,
      })),
      rows: curves.flatMap(({ method, points }) =>
        points.map(({ x, mean, low, high, count }) => [
          method,
          short(x),
          mean.toFixed(2),
          low.toFixed(2),
          high.toFixed(2),
          count,
        ]),
      ),
    },
  });
}

function describe({ method, points }: { readonly method: string; readonly points: readonly BandPoint[] }): string {
  const means = points.map(({ mean }) => mean / 100);
  return `${method} from ${percent(Math.min(...means))} to ${percent(Math.max(...means))}`;
}
