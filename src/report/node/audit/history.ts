/** How far every layer was from its start, after every epoch, against its radius. */
import * as Plot from '@observablehq/plot';
import type { LayerDistance } from '../../../regularizers/index.ts';
import { numberText } from '../../audit/checks.ts';
import type { Look } from '../../looks.ts';
import { figure, type Html, html, section } from '../../page/index.ts';
import { drawPlot, legend } from '../plot.ts';

/** A `distances` line of the log. */
export interface DistancesLine {
  readonly epoch: number;
  readonly layers: readonly { readonly layer: string; readonly mars: number; readonly frobenius: number }[];
}

interface Point {
  readonly epoch: number;
  readonly layer: string;
  readonly group: string;
  readonly value: number;
}

const LOOKS: Readonly<Record<string, Look>> = {
  convolutions: { color: 'var(--series-1)', dash: 'none', symbol: 'circle' },
  BatchNorm: { color: 'var(--series-3)', dash: '2 3', symbol: 'triangle' },
  'linear layers': { color: 'var(--series-4)', dash: '8 3', symbol: 'diamond' },
  classifier: { color: 'var(--series-2)', dash: '6 2', symbol: 'square' },
};

const groupOf = ({ kind, isHead }: LayerDistance): string =>
  isHead ? 'classifier' : kind === 'conv2d' ? 'convolutions' : kind === 'linear' ? 'linear layers' : 'BatchNorm';

/** What the method bounds: a layer's MARS or Frobenius distance; of BatchNorm its largest entry, under either. */
const boundedBy = (method: string, { kind }: LayerDistance): 'mars' | 'frobenius' =>
  method === 'l2-pgm' && kind !== 'batchNorm2d' ? 'frobenius' : 'mars';

/** Null where the log has no distances. `isRelative`: radii differ by row, so that distances are shown as they are. */
export function historySection(
  lines: readonly DistancesLine[],
  distances: readonly LayerDistance[],
  { method, isRelative }: { readonly method: string; readonly isRelative: boolean },
): Html | null {
  const infos = new Map(distances.map((info) => [info.layer, info]));
  const isBounded = !isRelative && distances.some(({ radius }) => radius !== null);
  const points = lines.flatMap(({ epoch, layers }) =>
    layers.flatMap((one): Point[] => {
      const info = infos.get(one.layer);
      if (!info || (isBounded && info.radius === null)) return [];
      const value = one[boundedBy(method, info)] / (isBounded ? info.radius! : 1);
      return [{ epoch, layer: one.layer, group: groupOf(info), value }];
    }),
  );
  if (points.length === 0) return null;
  return section('constraint', 'How far the weights moved', historyFigure(points, isBounded));
}

function historyFigure(points: readonly Point[], isBounded: boolean): Html {
  const groups = Object.keys(LOOKS).filter((name) => points.some(({ group }) => group === name));
  const className = (group: string) => `group-${groups.indexOf(group)}`;
  const epochs = [...new Set(points.map(({ epoch }) => epoch))];
  const largest = Math.max(...points.map(({ value }) => value));
  const beyond = isBounded ? points.filter(({ value }) => value > 1 + 1e-5) : [];
  const what = isBounded ? 'distance / radius' : 'distance from the pre-trained weights';
  const said = isBounded ? `largest ${largest.toFixed(6)}` : `largest ${numberText(largest)}`;
  const layers = [...new Set(points.map(({ layer }) => layer))];
  const picture = drawPlot('history', `${what} of ${layers.length} layers over ${epochs.length} epochs; ${said}`, {
    height: 320,
    marginLeft: 55,
    x: { label: 'epoch', labelAnchor: 'center', ticks: epochs.length > 12 ? 10 : epochs, tickFormat: 'd' },
    y: isBounded
      ? { label: what, grid: true, domain: [0, Math.max(1.08, largest * 1.05)] }
      : { label: what, grid: true, type: 'log' },
    marks: [
      ...(isBounded ? [Plot.ruleY([1], { stroke: 'var(--bad)', strokeWidth: 1.5 })] : []),
      ...(isBounded
        ? [Plot.text(['the bound'], { x: epochs.at(-1)!, y: 1, dy: -8, textAnchor: 'end', fill: 'var(--bad)' })]
        : []),
      ...groups.flatMap((group) => {
        const own = points.filter((point) => point.group === group && (isBounded || point.value > 0));
        const { color, dash, symbol } = LOOKS[group]!;
        const name = `series ${className(group)}`;
        return [
          Plot.line(own, {
            x: 'epoch',
            y: 'value',
            z: 'layer',
            stroke: color,
            strokeDasharray: dash,
            strokeWidth: 1.1,
            strokeOpacity: 0.8,
            className: name,
          }),
          Plot.dot(
            own.filter(({ epoch }) => epoch === epochs.at(-1)),
            { x: 'epoch', y: 'value', stroke: color, symbol, r: 3, className: name },
          ),
        ];
      }),
      Plot.dot(beyond, { x: 'epoch', y: 'value', symbol: 'times', stroke: 'var(--bad)', strokeWidth: 2, r: 6 }),
    ],
  });
  const caption = isBounded
    ? html`After every epoch, each layer's distance from its pre-trained weights as a share of its radius. The method promises that no line ever crosses 1
(up to rounding). The largest here is ${largest.toFixed(6)}${beyond.length > 0 && html`; <b>${beyond.length} points are beyond the bound</b>`}.`
    : html`After every epoch, each layer's distance from its pre-trained weights. This method sets no radius that could be drawn here.`;
  return figure({
    id: 'distance-history',
    title: isBounded ? 'Distance over radius, per layer and epoch' : 'Distance per layer and epoch',
    caption,
    legend: legend(groups.map((group) => ({ name: className(group), title: group, look: LOOKS[group]! }))),
    picture,
    data: {
      columns: [{ title: 'layer' }, ...epochs.map((epoch) => ({ title: `epoch ${epoch}`, isNumber: true }))],
      rows: layers.map((layer) => [
        layer,
        ...epochs.map((epoch) =>
          numberText(points.find((point) => point.layer === layer && point.epoch === epoch)?.value),
        ),
      ]),
    },
  });
}
