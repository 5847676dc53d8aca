/** How the strengths were found: validation accuracy of every trial, and of every value tried. */
import * as Plot from '@observablehq/plot';
import type { Task } from '../../aggregate.ts';
import { percent, short } from '../../format.ts';
import { type Look, lookOfMethod } from '../../looks.ts';
import { figure, type Html, trusted } from '../../page/index.ts';
import type { SearchFacts } from '../../runs.ts';
import { wordsOf } from '../../trials.ts';
import { drawPlot, legend } from '../plot.ts';
import { MAX_SERIES, wholeTick } from './curves.ts';
import { gridOf } from './panels.ts';
import { inTask } from './titles.ts';

interface TrialPoint {
  readonly panel: number;
  readonly trial: number;
  /** Per cent. */
  readonly accuracy: number;
  readonly best: number;
  readonly isPruned: boolean;
  readonly title: string;
}

export function tuningHistory(task: Task): Html | null {
  const searches = task.searches
    .filter(({ trials }) => trials.some(({ accuracy }) => accuracy !== null))
    .slice(0, MAX_SERIES);
  if (searches.length === 0) return null;
  const points = searches.flatMap(historyOf);
  const id = `tuning-${task.key}`;
  const title = inTask('Tuning history', task);
  return figure({
    id,
    title,
    caption:
      'A dot is a trial: a filled one ran to its end, a hollow one was ended early as hopeless. The line is the best accuracy on the validation images so far.',
    picture: drawHistory(id, title, searches, points),
    data: {
      columns: ['method', 'trial', 'values', 'validation accuracy', 'status'].map((name, i) => ({
        title: name,
        isNumber: i === 1 || i === 3,
      })),
      rows: searches.flatMap(({ method, trials }) =>
        trials.map(({ trial, point, accuracy, status }) => [
          method,
          trial,
          wordsOf(point),
          accuracy === null ? '' : percent(accuracy, 2),
          status,
        ]),
      ),
    },
  });
}

/** Pruned trials are shown, and count for nothing: they were not looked at after their last epoch. */
function historyOf({ trials, method }: SearchFacts, panel: number): TrialPoint[] {
  let best = Number.NaN;
  return trials.flatMap(({ trial, accuracy, status, point }) => {
    if (accuracy === null || accuracy === undefined) return [];
    const isPruned = status !== 'done';
    if (!isPruned && !(accuracy <= best)) best = accuracy;
    const title = `${method}, trial ${trial}: ${percent(accuracy, 2)} at ${wordsOf(point)}`;
    return [{ panel, trial, accuracy: 100 * accuracy, best: 100 * best, isPruned, title }];
  });
}

function drawHistory(id: string, title: string, searches: readonly SearchFacts[], points: readonly TrialPoint[]): Html {
  const { columns, rows, place } = gridOf(searches.length);
  const names = searches.map(({ method }, panel) => ({ panel, text: method }));
  const bests = searches.map(({ method }, panel) => {
    const own = points.filter((point) => point.panel === panel).map(({ best }) => best);
    return `${method} ${(own.at(-1) ?? Number.NaN).toFixed(1)} %`;
  });
  return drawPlot(id, `${title}; best validation accuracy: ${bests.join('; ')}`, {
    width: columns === 1 ? 480 : 940,
    height: 50 + 150 * rows,
    marginLeft: 44,
    marginTop: 26,
    marginBottom: 40,
    fx: { axis: null, padding: 0.06 },
    fy: { axis: null, padding: 0.2 },
    x: { label: 'trial →', ticks: 5, tickFormat: wholeTick },
    y: { label: 'validation accuracy, % ↑', labelArrow: false, ticks: 5, nice: true, grid: true },
    marks: [
      Plot.frame({ stroke: 'var(--rule)' }),
      Plot.lineY(points, {
        ...place,
        x: 'trial',
        y: 'best',
        z: 'panel',
        stroke: 'var(--series-2)',
        strokeWidth: 1.6,
        curve: 'step-after',
      }),
      Plot.dot(
        points.filter(({ isPruned }) => !isPruned),
        { ...place, x: 'trial', y: 'accuracy', fill: 'var(--series-1)', r: 3, title: 'title' },
      ),
      Plot.dot(
        points.filter(({ isPruned }) => isPruned),
        { ...place, x: 'trial', y: 'accuracy', stroke: 'var(--muted)', r: 3, title: 'title' },
      ),
      Plot.text(names, { ...place, text: 'text', frameAnchor: 'top', dy: -16, fontWeight: 600, fontSize: 12 }),
    ],
  });
}

/** A picture for every hyper-parameter: what was tried, and what came of it. */
export function tuningValues(task: Task): Html | null {
  const searches = task.searches.slice(0, MAX_SERIES);
  const dimensions = [...new Set(searches.flatMap(({ trials }) => trials.flatMap(({ point }) => Object.keys(point))))];
  const looks = new Map(searches.map((one, i) => [one, lookOfMethod(one.method, i)]));
  const id = `values-${task.key}`;
  const pictures = dimensions.flatMap((name, i) => drawValues(`${id}-${i}`, name, searches, looks) ?? []);
  if (pictures.length === 0) return null;
  return figure({
    id,
    title: inTask('Values that were tried', task),
    caption: 'A symbol is a trial that ran to its end. The numbers stand under the tuning history.',
    legend: legend(searches.map((one, i) => ({ name: `m${i}`, title: one.method, look: looks.get(one)! }))),
    picture: trusted(`<div class="panels">${pictures.map(({ markup }) => markup).join('')}</div>`),
  });
}

function drawValues(
  id: string,
  name: string,
  searches: readonly SearchFacts[],
  looks: ReadonlyMap<SearchFacts, Look>,
): Html | null {
  const groups = searches.map((search, i) => ({
    key: `m${i}`,
    look: looks.get(search)!,
    method: search.method,
    points: search.trials.flatMap(({ point, accuracy, status }) => {
      const value = point[name];
      return value === undefined || accuracy === null || status !== 'done' ? [] : [{ value, accuracy: 100 * accuracy }];
    }),
  }));
  const values = groups.flatMap(({ points }) => points.map(({ value }) => value));
  if (values.length === 0) return null;
  const numbers = values.filter((value): value is number => typeof value === 'number');
  const isNumeric = numbers.length === values.length;
  const isLogarithmic =
    isNumeric && numbers.every((value) => value > 0) && Math.max(...numbers) > 5 * Math.min(...numbers);
  const best = groups.flatMap(({ points }) => points).reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
  return drawPlot(id, `Validation accuracy over ${name}; best at ${best.value}`, {
    width: 480,
    height: 260,
    marginLeft: 44,
    marginTop: 28,
    marginBottom: 42,
    x: {
      ...(isNumeric ? { type: isLogarithmic ? 'log' : 'linear', nice: true } : { type: 'point' }),
      label: `${name} →`,
      ticks: 5,
      ...(isNumeric && { tickFormat: (value: number) => short(value) }),
    },
    y: { label: 'validation accuracy, % ↑', labelArrow: false, grid: true, nice: true },
    marks: groups.map(({ key, look: { color, symbol }, method, points }) =>
      Plot.dot(points, {
        x: 'value',
        y: 'accuracy',
        stroke: color,
        symbol,
        r: 3.5,
        className: `series ${key}`,
        title: ({ value, accuracy }: (typeof points)[number]) => `${method}: ${accuracy.toFixed(2)} % at ${value}`,
      }),
    ),
  });
}
