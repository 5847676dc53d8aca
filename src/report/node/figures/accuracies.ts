/** Accuracies of every seed, with mean and interval: who is ahead, and by how much more than chance. */
import * as Plot from '@observablehq/plot';
import type { Series, Task } from '../../aggregate.ts';
import { percent } from '../../format.ts';
import { type Look, looksOf } from '../../looks.ts';
import { figure, type Html } from '../../page/index.ts';
import { imagesOf, seedOf } from '../../runs.ts';
import { drawPlot } from '../plot.ts';
import { inTask } from './titles.ts';

export function accuracyFigure(task: Task): Html {
  const judged = task.series.filter(({ row }) => row !== null);
  const looks = looksOf(task.series);
  const id = `accuracy-${task.key}`;
  const title = inTask('Accuracy of every run', task);
  const picture = drawPlot(id, `${title}: ${judged.map(describe).join('; ')}`, {
    height: 64 + 30 * judged.length,
    marginBottom: 42,
    marginLeft: marginFor(judged),
    marginRight: 20,
    x: {
      label: `accuracy on the ${imagesOf(judged.flatMap(({ runs }) => runs))}, % →`,
      grid: true,
      domain: rangeOf(judged),
    },
    clip: true,
    y: { domain: judged.map(({ title: name }) => name), label: null },
    marks: judged.flatMap((series) => marksOf(series, looks.get(series)!)),
  });
  const runs = judged.flatMap((series) => dotsOf(series).map(({ y, seed, x }) => [y, seed, x.toFixed(2)]));
  return figure({
    id,
    title,
    caption:
      'A symbol is a run with its own seed; the thick tick is their mean, the line its 95 % interval by Student’s t. A line that runs off the edge is longer than there is room.',
    picture,
    data: {
      columns: [{ title: 'method' }, { title: 'seed', isNumber: true }, { title: 'accuracy %', isNumber: true }],
      rows: runs,
    },
  });
}

function marksOf(series: Series, { color, symbol }: Look): Plot.Markish[] {
  const { mean, halfWidth95, count } = series.row!;
  const place = {
    y: series.title,
    mean: 100 * mean,
    low: 100 * (mean - halfWidth95),
    high: 100 * (mean + halfWidth95),
  };
  const className = `series ${series.key}`;
  return [
    ...(count > 1
      ? [Plot.ruleY([place], { y: 'y', x1: 'low', x2: 'high', stroke: color, strokeWidth: 2, className })]
      : []),
    Plot.dot(dotsOf(series), {
      y: 'y',
      x: 'x',
      stroke: color,
      symbol,
      r: 3,
      strokeWidth: 1.2,
      title: 'title',
      className,
    }),
    Plot.tickX([place], { y: 'y', x: 'mean', stroke: color, strokeWidth: 4, inset: 4, className }),
  ];
}

const dotsOf = ({ title, runs }: Series) =>
  runs
    .filter(({ summary }) => summary !== null)
    .map((run) => {
      const { top1 } = run.summary!.test;
      const seed = seedOf(run);
      return { y: title, x: 100 * top1, seed, title: `${title}, seed ${seed}: ${percent(top1, 2)}` };
    });

/** Of all runs, with as much room again for the intervals, as far as they reach. */
function rangeOf(judged: readonly Series[]): [low: number, high: number] {
  const values = judged.flatMap((series) => dotsOf(series).map(({ x }) => x));
  const ends = judged.flatMap(({ row }) => [row!.mean - (row!.halfWidth95 || 0), row!.mean + (row!.halfWidth95 || 0)]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(0.5, 0.5 * (high - low));
  return [
    Math.max(0, low - room, Math.min(100 * Math.min(...ends), low) - 0.3),
    Math.min(100, high + room, Math.max(100 * Math.max(...ends), high) + 0.3),
  ];
}

const describe = ({ title, row }: Series): string => `${title} ${percent(row!.mean)}`;

/** Room for the longest name, in pixels. */
export const marginFor = (series: readonly Series[]): number =>
  Math.min(320, 16 + Math.max(...series.map(({ title }) => 6.6 * title.length)));
