/**
 * The paper's point in one picture: whatever radius was set, a constraint keeps every layer within it, and a penalty does not
 * (section 3: penalties "do not directly constrain the radius of the search space").
 */
import * as Plot from '@observablehq/plot';
import type { Task } from '../../aggregate.ts';
import { logTicks, percent, short } from '../../format.ts';
import { type Norm, radiiOf, type Spread, spreadsOf } from '../../layers.ts';
import { looksOf } from '../../looks.ts';
import { figure, type Html } from '../../page/index.ts';
import { drawPlot } from '../plot.ts';
import { marginFor } from './accuracies.ts';
import { NORMS } from './distances.ts';
import { inTask } from './titles.ts';

const BINS = 44;

export function distanceHistograms(task: Task, norm: Norm): Html | null {
  const radii = radiiOf(task, norm);
  const spreads = spreadsOf(task, norm, radii).filter(({ values }) => values.length > 0);
  if (spreads.length === 0) return null;
  const id = `histogram-${norm}-${task.key}`;
  const { adjective } = NORMS[norm];
  const title = inTask(
    radii ? `Who leaves the ball: ${adjective} distances over radii` : `${adjective} distances`,
    task,
  );
  const caption = radii
    ? `Every layer at the end of every run, over the radius that ${radii.method} set for it: right of the line a layer is farther from its start than that radius. A constraint on this distance stays left of the line by construction; nothing else has to.`
    : 'Every layer but the classifier, at the end of every run. No method here keeps a radius in this norm.';
  return figure({
    id,
    title,
    caption,
    picture: drawHistograms(id, title, task, spreads, radii !== null),
    data: {
      columns: ['method', 'layers', 'did not move', 'median', 'largest', ...(radii ? ['outside'] : [])].map(
        (name, i) => ({
          title: name,
          isNumber: i > 0,
        }),
      ),
      rows: spreads.map(({ series, values, still, outside }) => {
        const sorted = [...values].sort((a, b) => a - b);
        const middle = sorted[Math.floor(sorted.length / 2)]!;
        const cells = [series.title, values.length + still, still, short(middle), short(sorted.at(-1)!)];
        return radii ? [...cells, `${outside} (${percent(outside / (values.length + still), 0)})`] : cells;
      }),
    },
  });
}

interface Bar {
  readonly method: string;
  readonly low: number;
  readonly high: number;
  /** Of the method's fullest bin. */
  readonly share: number;
  readonly count: number;
}

function barsOf({ series, values }: Spread, low: number, high: number): Bar[] {
  const width = (high - low) / BINS;
  const counts = new Array<number>(BINS).fill(0);
  // What lies on the radius belongs to the bin below it, as far as rounding goes.
  for (const value of values)
    counts[Math.max(0, Math.min(BINS - 1, Math.floor((Math.log10(value) - 1e-4 - low) / width)))]!++;
  const fullest = Math.max(...counts);
  return counts.flatMap((count, i) =>
    count === 0
      ? []
      : [
          {
            method: series.title,
            low: 10 ** (low + i * width),
            high: 10 ** (low + (i + 1) * width),
            share: count / fullest,
            count,
          },
        ],
  );
}

/** Logarithms of the ends of the bins: one of them lies on the radius, and a few tiny distances do not squeeze the rest. */
function rangeOf(spreads: readonly Spread[]): [low: number, high: number] {
  const logs = spreads.flatMap(({ values }) => values.map(Math.log10)).sort((a, b) => a - b);
  const least = Math.min(-0.02, Math.max(logs[0]!, logs[Math.floor(logs.length / 50)]! - 0.5));
  const step = (Math.max(logs.at(-1)!, 0.02) - least) / (BINS - 2);
  const low = Math.floor(least / step) * step;
  return [low, low + BINS * step];
}

interface Note {
  readonly method: string;
  readonly text: string;
  readonly isBold: boolean;
}

function drawHistograms(id: string, title: string, task: Task, spreads: readonly Spread[], hasRadius: boolean): Html {
  const [low, high] = rangeOf(spreads);
  const ticks = logTicks(10 ** low, 10 ** high, [1, 2, 5]);
  const notes = spreads.map(({ series, values, still, outside }) => ({
    method: series.title,
    text: hasRadius ? `${outside} of ${values.length + still} outside` : `largest ${short(Math.max(...values))}`,
    isBold: outside > 0,
  }));
  return drawPlot(id, `${title}: ${notes.map(({ method, text }) => `${method} ${text}`).join('; ')}`, {
    width: 860,
    height: 66 + 46 * spreads.length,
    marginBottom: 44,
    marginLeft: 14 + marginFor(spreads.map(({ series }) => series)),
    marginRight: 120,
    x: { type: 'log', domain: [10 ** low, 10 ** high], axis: null },
    y: { axis: null, domain: [0, 1.08] },
    fy: { domain: spreads.map(({ series }) => series.title), label: null, padding: 0.12 },
    marks: [
      Plot.gridX(ticks, {}),
      // By `text`: a logarithmic scale would leave out some of the labels.
      Plot.axisX(ticks, {
        text: short,
        labelAnchor: 'center',
        label: hasRadius ? 'distance / radius →' : 'distance →',
      }),
      Plot.axisFy({ anchor: 'left', dx: -8, label: null, tickSize: 0 }),
      ...barMarks(task, spreads, low, high),
      Plot.ruleY([0], { stroke: 'var(--rule)' }),
      Plot.ruleX(hasRadius ? [1] : [], { stroke: 'var(--ink)', strokeWidth: 2 }),
      ...[false, true].map((isBold) => noteMarks(notes, isBold)),
    ],
  });
}

function barMarks(task: Task, spreads: readonly Spread[], low: number, high: number): Plot.Markish[] {
  const looks = looksOf(task.series);
  return spreads.map((spread) =>
    Plot.rect(barsOf(spread, low, high), {
      fy: 'method',
      x1: 'low',
      x2: 'high',
      y1: 0,
      y2: 'share',
      fill: looks.get(spread.series)!.color,
      inset: 0.5,
      title: ({ count, low: from, high: to }: Bar) => `${count} layers from ${short(from)} to ${short(to)}`,
    }),
  );
}

function noteMarks(notes: readonly Note[], isBold: boolean): Plot.Markish {
  return Plot.text(
    notes.filter((note) => note.isBold === isBold),
    { fy: 'method', text: 'text', frameAnchor: 'right', textAnchor: 'start', dx: 8, fontWeight: isBold ? 700 : 400 },
  );
}
