/** The picture of a sensitivity study: accuracy against the factor, constraints and penalties apart. */
import * as Plot from '@observablehq/plot';
import type { SensitivityCurve } from '../../experiments/sensitivity.ts';
import { drawFigure, type Panel } from './figure.ts';

const COLORS: Readonly<Record<string, string>> = {
  'mars-pgm': '#00798c',
  'l2-pgm': '#d1495b',
  'mars-sp': '#3d6b21',
  'l2-sp': '#b36200',
  delta: '#6a4c93',
  bss: '#555555',
  spd: '#8a6d00',
};
const colorOf = (method: string): string => COLORS[method] ?? '#222222';

/** The bands reach from the lowest seed to the highest; a factor at which every seed diverged is a cross at zero. */
export function drawSensitivity(curves: readonly SensitivityCurve[], kindOf: (method: string) => string): string {
  const kinds = [...new Set(curves.map(({ method }) => kindOf(method)))];
  const accuracies = curves.flatMap(({ points }) =>
    points.flatMap((point) => point.accuracies.flatMap((one) => one ?? [])),
  );
  const most = 100 * Math.max(0, ...accuracies);
  return drawFigure(
    kinds.map((kind) =>
      panelOf(
        kind,
        curves.filter(({ method }) => kindOf(method) === kind),
        most,
      ),
    ),
    {
      description: `Accuracy when both strengths are multiplied by a factor, for ${curves.map(({ method }) => method).join(', ')}`,
      columns: kinds.length,
      panelWidth: 430,
      panelHeight: 300,
      legend: curves.map(({ method }) => ({ title: method, color: colorOf(method), width: 2.4 })),
      legendColumns: 5,
    },
  );
}

function panelOf(kind: string, curves: readonly SensitivityCurve[], most: number): Panel {
  const factors = [...new Set(curves.flatMap(({ points }) => points.map(({ factor }) => factor)))];
  const marks = curves.flatMap(({ method, points }) => {
    const finished = points.flatMap(({ factor, accuracies, sample }) => {
      const values = accuracies.flatMap((one) => (one === null ? [] : 100 * one));
      return sample ? [{ factor, mean: 100 * sample.mean, low: Math.min(...values), high: Math.max(...values) }] : [];
    });
    const lost = points.filter(({ sample }) => sample === null);
    const stroke = colorOf(method);
    return [
      Plot.areaY(finished, { x: 'factor', y1: 'low', y2: 'high', fill: stroke, fillOpacity: 0.13 }),
      Plot.line(finished, { x: 'factor', y: 'mean', stroke, strokeWidth: 2 }),
      Plot.dot(finished, { x: 'factor', y: 'mean', fill: stroke, r: 2.6 }),
      Plot.dot(lost, { x: 'factor', y: 0, stroke, symbol: 'times', r: 4, strokeWidth: 2 }),
    ];
  });
  return {
    title: kind,
    options: {
      marginLeft: 44,
      marginBottom: 38,
      x: {
        type: 'log',
        label: 'factor on both strengths',
        ticks: factors,
        tickFormat: powerOfTen,
        insetLeft: 8,
        insetRight: 8,
      },
      y: { label: 'accuracy, %', grid: true, domain: [0, Math.max(10, most)], nice: true },
      marks: [Plot.ruleX([1], { stroke: '#999', strokeDasharray: '4 3' }), ...marks],
    },
  };
}

/** `10⁻⁴`; what is no power of ten as it is. */
function powerOfTen(value: number): string {
  const exponent = Math.log10(value);
  if (!Number.isInteger(exponent)) return String(value);
  if (exponent === 0) return '1';
  const digits = [...String(exponent)].map((digit) => (digit === '-' ? '⁻' : '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]!));
  return `10${digits.join('')}`;
}
