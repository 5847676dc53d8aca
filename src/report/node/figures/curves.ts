/** Learning curves: a line is a mean over seeds, the band around it reaches from the lowest seed to the highest. */
import * as Plot from '@observablehq/plot';
import { type BandPoint, bandOf, type Series, type Task, thinned } from '../../aggregate.ts';
import { short } from '../../format.ts';
import { type Look, looksOf } from '../../looks.ts';
import { figure, type Html, trusted } from '../../page/index.ts';
import type { EpochFacts, ReportRun } from '../../runs.ts';
import { drawPlot, legend } from '../plot.ts';
import { inTask } from './titles.ts';

/** Points of a line; more are not seen. */
const MAX_POINTS = 150;
/** Lines in one picture. */
export const MAX_SERIES = 12;

interface Quantity {
  readonly key: string;
  readonly title: string;
  readonly label: string;
  readonly of: (epoch: EpochFacts) => number | null;
}

const QUANTITIES: readonly Quantity[] = [
  { key: 'loss', title: 'training loss', label: '↑ cross-entropy, nats', of: ({ loss }) => loss },
  {
    key: 'training',
    title: 'training accuracy',
    label: '↑ %, on the labels trained on',
    of: ({ accuracy }) => 100 * accuracy,
  },
  {
    key: 'validation',
    title: 'validation accuracy',
    label: '↑ %',
    of: ({ validation }) => validation && 100 * validation.top1,
  },
];

interface Curve {
  readonly series: Series;
  readonly points: readonly BandPoint[];
}

export function curvesFigure(task: Task): Html | null {
  const all = task.series.filter(({ runs }) => runs.some(({ epochs, steps }) => epochs.length + steps.length > 0));
  const series = all.slice(0, MAX_SERIES);
  if (series.length === 0) return null;
  const looks = looksOf(task.series);
  const id = `curves-${task.key}`;
  const drawn = QUANTITIES.map((quantity) => ({ quantity, curves: curvesOf(series, quantity) })).filter(
    ({ curves }) => curves.length > 0,
  );
  const pictures = drawn.map(
    ({ quantity, curves }) => drawCurves(`${id}-${quantity.key}`, quantity, curves, looks).markup,
  );
  const rows = drawn.flatMap(({ quantity, curves }) =>
    curves.map(({ series: { title }, points }) => {
      const last = points.at(-1)!;
      return [`${quantity.title}, ${title}`, last.x, short(last.mean), short(last.low), short(last.high)];
    }),
  );
  return figure({
    id,
    title: inTask('Loss and accuracy over epochs', task),
    caption:
      'After every epoch: a line is the mean over seeds, its band reaches from the lowest seed to the highest. The training loss is without penalties.' +
      (task.series.length > series.length
        ? ` The first ${series.length} of ${task.series.length} rows are drawn.`
        : ''),
    legend: legend(series.map((one) => ({ name: one.key, title: one.title, look: looks.get(one)! }))),
    picture: trusted(`<div class="panels">${pictures.join('')}</div>`),
    data: {
      columns: [
        { title: 'at the last epoch' },
        ...['epoch', 'mean', 'lowest seed', 'highest seed'].map((title) => ({ title, isNumber: true })),
      ],
      rows,
    },
  });
}

function curvesOf(series: readonly Series[], { of, key }: Quantity): Curve[] {
  const ofRun = ({ epochs, steps }: ReportRun) => {
    const ends = epochs.flatMap((epoch) => {
      const y = of(epoch);
      return y === null || y === undefined || !Number.isFinite(y) ? [] : [{ x: epoch.epoch, y }];
    });
    // A long first epoch has its steps.
    if (ends.length > 0 || key !== 'loss' || steps.length === 0) return ends;
    return steps.map(({ step, loss }) => ({ x: step / steps.at(-1)!.step, y: loss }));
  };
  return series
    .map((one) => ({ series: one, points: thinned(bandOf(one.runs.map(ofRun)), MAX_POINTS) }))
    .filter(({ points }) => points.length > 0);
}

function drawCurves(
  id: string,
  { title, label }: Quantity,
  curves: readonly Curve[],
  looks: ReadonlyMap<Series, Look>,
): Html {
  const marks = curves.flatMap(({ series, points }) => {
    const { color, dash, symbol } = looks.get(series)!;
    const className = `series ${series.key}`;
    const last = points.slice(-1);
    const hasBand = points.some(({ count }) => count > 1);
    return [
      Plot.areaY(hasBand ? points : [], { x: 'x', y1: 'low', y2: 'high', fill: color, fillOpacity: 0.12, className }),
      Plot.lineY(points, { x: 'x', y: 'mean', stroke: color, strokeWidth: 1.8, strokeDasharray: dash, className }),
      Plot.dot(last, { x: 'x', y: 'mean', fill: color, symbol, r: 4, className }),
      Plot.dot(points, {
        x: 'x',
        y: 'mean',
        r: 5,
        fill: color,
        fillOpacity: 0,
        className,
        title: (point: BandPoint) => `${series.title}, epoch ${point.x}: ${short(point.mean)}`,
      }),
    ];
  });
  const ends = curves.map(({ series, points }) => `${series.title} ${short(points.at(-1)!.mean)}`);
  return drawPlot(id, `${title} over epochs; at the end: ${ends.join('; ')}`, {
    width: 480,
    height: 300,
    marginLeft: 46,
    marginTop: 34,
    marginBottom: 36,
    x: { label: 'epoch →', ticks: 6, tickFormat: wholeTick, ...epochRange(curves) },
    y: { label: `${title}, ${label.replace('↑ ', '')} ↑`, labelArrow: false, grid: true, nice: true },
    marks,
  });
}

/** To the end of the training: a curve that grows does not stretch. */
function epochRange(curves: readonly Curve[]): { readonly domain?: [first: number, last: number] } {
  const places = curves.flatMap(({ points }) => points.map(({ x }) => x));
  const planned = curves.flatMap(({ series }) => series.runs.map(({ config }) => config.settings.epochs));
  const [first, last] = [Math.min(1, ...places), Math.max(...planned, ...places)];
  return first < last ? { domain: [first, last] } : {};
}

/** Of epochs and trials: there are whole ones only. */
export const wholeTick = (value: number): string => (Number.isInteger(value) ? String(value) : '');
