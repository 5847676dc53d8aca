/** How far every layer moved: over time, and in the end, against the radius of the method that has one. */
import * as Plot from '@observablehq/plot';
import { type Series, type Task, thinned } from '../../aggregate.ts';
import { logTicks, short } from '../../format.ts';
import { BALLS, distanceOf, type Norm, type Radii, radiiOf } from '../../layers.ts';
import { figure, type Html } from '../../page/index.ts';
import { type DistanceFacts, type ReportRun, seedOf } from '../../runs.ts';
import { drawPlot, legend } from '../plot.ts';
import { MAX_SERIES, wholeTick } from './curves.ts';
import { type Grid, gridOf } from './panels.ts';
import { inTask } from './titles.ts';

const KINDS = {
  conv: { title: 'convolution', look: { color: 'var(--series-1)', dash: 'none', symbol: 'circle' } },
  norm: { title: 'BatchNorm', look: { color: 'var(--series-3)', dash: '2 2', symbol: 'square' } },
  head: { title: 'classifier, from zero', look: { color: 'var(--series-2)', dash: '6 3', symbol: 'diamond' } },
} as const;
type Kind = keyof typeof KINDS;

interface LayerPoint {
  readonly panel: number;
  readonly kind: Kind;
  readonly layer: string;
  readonly epoch: number;
  readonly distance: number;
}

export function distancesOverTime(task: Task, norm: Norm): Html | null {
  const series = task.series
    .filter(({ runs }) => runs.some(({ distances }) => distances.length > 0))
    .slice(0, MAX_SERIES);
  if (series.length === 0) return null;
  const shown = series.map((one) => ({ series: one, run: one.runs.find(({ distances }) => distances.length > 0)! }));
  const points = shown.flatMap(({ run }, panel) => pointsOf(run, norm, panel, shown.length));
  if (points.length === 0) return null;
  const radii = radiiOf(task, norm);
  const id = `distances-${norm}-${task.key}`;
  const title = inTask(`Distance of every layer over time, ${NORMS[norm].adjective}`, task);
  return figure({
    id,
    title,
    caption: `${NORMS[norm].definition} A line is a layer of one run (seed ${seedOf(shown[0]!.run)}), on a logarithmic scale; layers that have not moved have no line. ${countCaption(shown[0]!.run)}${radiusCaption(radii)}`,
    legend: legend(Object.entries(KINDS).map(([name, { title: text, look }]) => ({ name, title: text, look }))),
    picture: drawPanels(id, title, shown, points, radii, norm),
    data: {
      columns: ['method', 'layer', 'epoch', 'distance', 'radius'].map((name, i) => ({ title: name, isNumber: i > 1 })),
      rows: lastOf(points).map(({ panel, layer, epoch, distance }) => [
        shown[panel]!.series.title,
        layer,
        epoch,
        short(distance),
        shown[panel]!.series.method === BALLS[norm] ? shortOrNothing(radii?.byLayer.get(layer)) : '',
      ]),
    },
  });
}

const shortOrNothing = (value: number | undefined): string => (value === undefined ? '' : short(value));

export const NORMS = {
  mars: {
    adjective: 'MARS',
    definition: 'The MARS distance of a layer is the largest absolute row sum of weights − pre-trained weights.',
  },
  frobenius: {
    adjective: 'Frobenius',
    definition:
      'The Frobenius distance of a layer is the root of the sum of squares of weights − pre-trained weights; of BatchNorm, which both constraints bound entry by entry, it is the largest entry.',
  },
} as const;

function countCaption({ distances }: ReportRun): string {
  const { length } = distances.at(-1)!.layers;
  return length > MAX_LAYERS ? `Of ${length} layers about ${MAX_LAYERS} are drawn, spread over all distances. ` : '';
}

function radiusCaption(radii: Radii | null): string {
  if (!radii) return 'No method here has a radius in this norm.';
  return `Level lines are the radii that ${radii.method} keeps (full where it does, faint elsewhere, for comparison).`;
}

/** Of all lines of a picture together; more are not seen. */
const MAX_POINTS = 3500;
/** Lines in a panel. */
const MAX_LAYERS = 70;

/** Of more layers, some at every distance: the one that moved most and the one that moved least are among them. */
function layersDrawn({ layers }: DistanceFacts, norm: Norm): ReadonlySet<string> {
  const names = [...layers].sort((a, b) => b[norm] - a[norm]).map(({ layer }) => layer);
  return new Set([...thinned(names, MAX_LAYERS), layers.at(-1)!.layer]);
}

/** A line has its beginning, its end, and what is between. */
const FEWEST_POINTS = 5;

function pointsOf({ distances, layers }: ReportRun, norm: Norm, panel: number, panels: number): LayerPoint[] {
  const lines = panels * Math.min(MAX_LAYERS, distances.at(-1)!.layers.length);
  const shown = thinned(distances, Math.max(FEWEST_POINTS, Math.floor(MAX_POINTS / lines)));
  const last = distances.at(-1)!.layers.at(-1)!.layer;
  const kindOf = (layer: string): Kind => {
    const known = layers?.find((one) => one.layer === layer);
    if (known ? known.isHead : layer === last) return 'head';
    const isNorm = known ? known.kind === 'batchNorm2d' : /bn|norm|downsample\.1/.test(layer);
    return isNorm ? 'norm' : 'conv';
  };
  const drawn = layersDrawn(distances.at(-1)!, norm);
  return shown.flatMap(({ epoch, layers: all }) =>
    all.flatMap((one) => {
      if (!drawn.has(one.layer)) return [];
      const kind = kindOf(one.layer);
      const distance = distanceOf(one, kind === 'norm', norm);
      return distance > 0 ? [{ panel, kind, layer: one.layer, epoch, distance }] : [];
    }),
  );
}

function lastOf(points: readonly LayerPoint[]): LayerPoint[] {
  return [...new Map(points.map((point) => [`${point.panel}/${point.layer}`, point])).values()];
}

/** A line for each layer, a mark for each kind. */
function linesOf(points: readonly LayerPoint[], place: Grid['place']): Plot.Markish[] {
  return (Object.keys(KINDS) as Kind[]).map((kind) => {
    const { color, dash } = KINDS[kind].look;
    const own = points.filter((point) => point.kind === kind);
    const z = ({ panel, layer }: LayerPoint) => `${panel} ${layer}`;
    const channels = { ...place, x: 'epoch', y: 'distance', z, className: `series ${kind}`, clip: true } as const;
    // A run of one epoch is a row of dots.
    return own.every(({ epoch }) => epoch === own[0]?.epoch)
      ? Plot.dot(own, { ...channels, fill: color, r: 2 })
      : Plot.line(own, { ...channels, stroke: color, strokeWidth: 1.1, strokeDasharray: dash, title: 'layer' });
  });
}

function drawPanels(
  id: string,
  title: string,
  shown: readonly { readonly series: Series; readonly run: ReportRun }[],
  points: readonly LayerPoint[],
  radii: Radii | null,
  norm: Norm,
): Html {
  const { columns, rows, place } = gridOf(shown.length);
  const levels = radii ? radii.levels.map(({ value }) => value) : [];
  const [low, high] = rangeOf(points, levels);
  const rules = shown.flatMap(({ series }, panel) =>
    levels.map((value) => ({ panel, value, own: series.method === BALLS[norm] })),
  );
  const reaches = shown.map(({ series }) => describeReach(series.title, points, shown, series));
  return drawPlot(id, `${title}: ${reaches.join('; ')}`, {
    width: columns === 1 ? 520 : 940,
    height: 50 + 190 * rows,
    marginLeft: 46,
    marginTop: 26,
    marginBottom: 40,
    fx: { axis: null, padding: 0.06 },
    fy: { axis: null, padding: 0.14 },
    x: { label: 'epoch →', ticks: 5, tickFormat: wholeTick },
    y: {
      type: 'log',
      label: 'distance ↑',
      labelArrow: false,
      domain: [low, high],
      ticks: logTicks(low, high, high / low < 100 ? [1, 2, 5] : [1]),
      tickFormat: short,
      grid: true,
    },
    marks: [
      Plot.frame({ stroke: 'var(--rule)' }),
      ...linesOf(points, place),
      Plot.ruleY(
        rules.filter(({ own }) => own),
        { ...place, y: 'value', stroke: 'var(--ink)', strokeWidth: 1.8 },
      ),
      Plot.ruleY(
        rules.filter(({ own }) => !own),
        { ...place, y: 'value', stroke: 'var(--ink)', strokeOpacity: 0.45, strokeDasharray: '1 3' },
      ),
      Plot.text(
        shown.map(({ series }, panel) => ({ panel, text: series.title })),
        { ...place, text: 'text', frameAnchor: 'top', dy: -16, fontWeight: 600, fontSize: 12 },
      ),
    ],
  });
}

/** A layer that has hardly moved yet must not squeeze the others: its line then begins below the panel. */
function rangeOf(points: readonly LayerPoint[], levels: readonly number[]): [low: number, high: number] {
  const distances = points.map(({ distance }) => distance).sort((a, b) => a - b);
  const low = Math.max(distances[0]!, distances[Math.floor(distances.length / 50)]! / 3);
  return [Math.min(low, ...levels) * 0.8, Math.max(distances.at(-1)!, ...levels) * 1.25];
}

function describeReach(
  title: string,
  points: readonly LayerPoint[],
  shown: readonly { readonly series: Series }[],
  series: Series,
): string {
  const own = points.filter(({ panel }) => shown[panel]!.series === series).map(({ distance }) => distance);
  return own.length === 0 ? `${title} did not move` : `${title} up to ${short(Math.max(...own))}`;
}
