/** Which class is taken for which. */
import * as Plot from '@observablehq/plot';
import type { Task } from '../../aggregate.ts';
import { percent } from '../../format.ts';
import { figure, type Html } from '../../page/index.ts';
import type { Confusion } from '../../predictions.ts';
import { drawPlot } from '../plot.ts';
import { inTask } from './titles.ts';

/** Cells with their numbers written in. */
const MAX_WRITTEN = 20;
/** More classes are told by their commonest confusions alone. */
const MAX_DRAWN = 60;
/** Rows of the table of confusions. */
const MAX_LISTED = 20;

interface Cell {
  readonly label: string;
  readonly answer: string;
  readonly count: number;
  /** Of the label's images. */
  readonly share: number;
}

export function confusionFigure(task: Task, title: string, confusion: Confusion): Html {
  const { classes, counts } = confusion;
  const cells = classes.flatMap((label, i): Cell[] => {
    const row = counts.slice(i * classes.length, (i + 1) * classes.length);
    const total = row.reduce((sum, count) => sum + count, 0);
    return classes.map((answer, j) => ({ label, answer, count: row[j]!, share: total === 0 ? 0 : row[j]! / total }));
  });
  const wrong = cells
    .filter(({ label, answer, count }) => label !== answer && count > 0)
    .sort((a, b) => b.share - a.share)
    .slice(0, MAX_LISTED);
  const id = `confusion-${task.key}`;
  const isMatrix = classes.length <= MAX_DRAWN;
  const name = inTask(`${isMatrix ? 'Confusion matrix' : 'Commonest confusions'} of ${title}`, task);
  return figure({
    id,
    title: name,
    caption: captionOf(confusion, isMatrix),
    picture: isMatrix ? drawCells(id, name, classes, cells, wrong) : drawBars(id, name, wrong),
    data: {
      columns: ['image shows', 'taken for', 'images', 'of its class'].map((text, i) => ({
        title: text,
        isNumber: i > 1,
      })),
      rows: wrong.map(({ label, answer, count, share }) => [label, answer, count, percent(share)]),
    },
  });
}

function captionOf({ classes, runs }: Confusion, isMatrix: boolean): string {
  const what = isMatrix
    ? 'Rows: what an image shows; columns: what the network says; numbers and depth of colour: per cent of the row'
    : `The commonest confusions among ${classes.length} classes: what an image shows → what the network says`;
  return `${what}${runs > 1 ? `, over ${runs} seeds` : ''}.`;
}

function drawCells(
  id: string,
  name: string,
  classes: readonly string[],
  cells: readonly Cell[],
  wrong: readonly Cell[],
): Html {
  const shown = cells.filter(({ count }) => count > 0);
  const isWritten = classes.length <= MAX_WRITTEN;
  const size = Math.max(14, Math.min(72, 640 / classes.length));
  const widest = Math.min(160, 12 + Math.max(...classes.map((text) => 7 * text.length)));
  const isRotated = widest - 12 > size + 12;
  const top = isRotated ? Math.min(widest, 110) + 24 : 44;
  return drawPlot(id, `${name}; ${describe(wrong)}`, {
    width: widest + 34 + size * classes.length,
    height: top + 20 + size * classes.length * (isWritten ? 2 / 3 : 1),
    marginLeft: widest + 14,
    marginTop: top,
    marginBottom: 20,
    x: {
      domain: classes,
      axis: 'top',
      label: 'network says →',
      tickSize: 0,
      tickRotate: isRotated ? -55 : 0,
      tickFormat: clipped,
    },
    y: { domain: classes, label: 'image shows', tickSize: 0, tickFormat: clipped },
    marks: [
      Plot.cell(shown, {
        x: 'answer',
        y: 'label',
        fill: 'var(--series-1)',
        // Numbers must be read on it.
        fillOpacity: ({ share }: Cell) => (isWritten ? 0.06 + 0.5 * share : 0.12 + 0.88 * share),
        inset: 0.5,
        title: ({ label, answer, count, share }: Cell) => `${label} taken for ${answer}: ${count}, ${percent(share)}`,
      }),
      Plot.text(isWritten ? shown : [], {
        x: 'answer',
        y: 'label',
        text: ({ share }: Cell) => (share >= 0.995 ? '100' : (100 * share).toFixed(share < 0.0995 ? 1 : 0)),
        fill: 'var(--ink)',
      }),
    ],
  });
}

const clipped = (text: string): string => (text.length > 22 ? `${text.slice(0, 21)}…` : text);

/** Of many classes: the commonest confusions alone. */
function drawBars(id: string, name: string, wrong: readonly Cell[]): Html {
  // Names that are cut may be alike: bars are told apart by their rank.
  const bars = wrong.map(({ share }, rank) => ({ rank, share: 100 * share }));
  const pairs = wrong.map(({ label, answer }) => `${clipped(label)} → ${clipped(answer)}`);
  return drawPlot(id, `${name}; ${describe(wrong)}`, {
    height: 60 + 18 * bars.length,
    marginLeft: 24 + Math.max(0, ...pairs.map((pair) => 6.6 * pair.length)),
    marginBottom: 40,
    x: { label: '% of the images of the class →', grid: true },
    y: { domain: bars.map(({ rank }) => rank), tickFormat: (rank: number) => pairs[rank]!, label: null, tickSize: 0 },
    marks: [Plot.barX(bars, { x: 'share', y: 'rank', fill: 'var(--series-1)', inset: 1 })],
  });
}

const describe = ([first]: readonly Cell[]): string =>
  first
    ? `most often ${first.label} is taken for ${first.answer}, ${percent(first.share)} of its images`
    : 'no image is taken for another class';
