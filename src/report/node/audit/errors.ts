/** How far each replayed launch is from float64, against what its kernel's contract allows. */
import * as Plot from '@observablehq/plot';
import type { LaunchError } from '../../../audit/pageData.ts';
import { numberText } from '../../audit/checks.ts';
import { worstShare } from '../../audit/graph.ts';
import { figure, type Html, html, section } from '../../page/index.ts';
import { drawPlot } from '../plot.ts';

/** Where exact results stand on the logarithmic axis, which has no zero. */
const FLOOR = 1e-10;

const isBeyond = ({ error, tolerance }: LaunchError): boolean => error === null || error > tolerance;

function errorFigure(errors: readonly LaunchError[], step: number): Html {
  const own = errors.filter((one) => one.step === step);
  const points = own.map((one) => ({
    launch: one.launch,
    error: Math.max(FLOOR, one.error ?? Number.POSITIVE_INFINITY),
    isBeyond: isBeyond(one),
  }));
  const limits = own.filter(({ tolerance }) => tolerance > 0);
  const largest = Math.max(1e-4, ...own.map(({ error, tolerance }) => Math.max(error ?? 0, tolerance)));
  const drawn = points.map((point) => ({ ...point, error: Math.min(point.error, largest * 3) }));
  const beyond = drawn.filter((point) => point.isBeyond);
  const picture = drawPlot(
    `errors-${step}`,
    `Relative error of ${own.length} results of step ${step}; ${beyond.length} beyond their tolerance`,
    {
      height: 300,
      marginLeft: 60,
      x: { label: 'launch, in the order of the step →', labelAnchor: 'center' },
      y: {
        type: 'log',
        domain: [FLOOR / 2, largest * 4],
        label: 'relative error',
        grid: true,
        tickFormat: (value: number) => (value <= FLOOR ? 'exact' : value.toExponential(0)),
        ticks: [1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1].filter((tick) => tick < largest * 4),
      },
      marks: [
        Plot.ruleY(limits, {
          x1: ({ launch }: LaunchError) => launch - 0.5,
          x2: ({ launch }: LaunchError) => launch + 0.5,
          y: 'tolerance',
          stroke: 'var(--muted)',
          strokeWidth: 2,
        }),
        Plot.dot(
          drawn.filter((point) => !point.isBeyond),
          { x: 'launch', y: 'error', r: 2.2, fill: 'var(--series-1)' },
        ),
        Plot.dot(beyond, { x: 'launch', y: 'error', r: 5, symbol: 'times', stroke: 'var(--bad)', strokeWidth: 2 }),
      ],
    },
  );
  return figure({
    id: `errors-of-step-${step}`,
    title: `Step ${step}: error of every launch`,
    caption: html`Each dot is one result of one launch, computed from the same inputs in 64-bit arithmetic and compared; the grey line above it is what the
kernel's contract allows (kernels that copy or compare must be exact and have none).${beyond.length > 0 && ' A red cross is beyond its limit.'}`,
    picture,
    data: {
      columns: ['launch', 'kernel', 'buffer', 'relative error', 'tolerance'].map((title, i) => ({
        title,
        isNumber: i === 0 || i > 2,
      })),
      rows: own.map(({ launch, kernel, buffer, error, tolerance }) => [
        launch,
        kernel,
        buffer,
        error === null ? 'no number' : numberText(error),
        tolerance === 0 ? 'exact' : numberText(tolerance),
      ]),
    },
  });
}

const ulpTitle = (i: number, count: number): string =>
  i === 0 ? '0' : i === count - 1 ? `> ${2 ** (i - 2)}` : `≤ ${2 ** (i - 1)}`;

function ulpFigure(errors: readonly LaunchError[]): Html {
  const size = Math.max(...errors.map(({ ulps }) => ulps.length));
  const counts = Array.from({ length: size }, (_, i) => errors.reduce((sum, { ulps }) => sum + (ulps[i] ?? 0), 0));
  const total = Math.max(
    1,
    counts.reduce((sum, count) => sum + count, 0),
  );
  const bars = counts.map((count, i) => ({ title: ulpTitle(i, size), share: (100 * count) / total, count }));
  const picture = drawPlot('ulps', 'Share of elements by their distance from float64 in units in the last place', {
    height: 240,
    marginLeft: 50,
    marginBottom: 45,
    x: {
      domain: bars.map(({ title }) => title),
      label: 'distance from the exact result, in units in the last place of a 32-bit number',
      labelAnchor: 'center',
      tickSize: 0,
    },
    y: { label: '% of elements', grid: true },
    marks: [Plot.barY(bars, { x: 'title', y: 'share', fill: 'var(--series-1)' }), Plot.ruleY([0])],
  });
  return figure({
    id: 'ulp-histogram',
    title: 'All elements: how many last digits differ',
    caption: html`A 32-bit number has about seven decimal digits; a distance of 1 is the smallest step between two such numbers. Large distances occur
where nearly equal numbers are subtracted and the result is almost zero: what counts for the verdict is the error of each result as a whole.`,
    picture,
    data: {
      columns: [
        { title: 'units in the last place' },
        { title: 'elements', isNumber: true },
        { title: '%', isNumber: true },
      ],
      rows: bars.map(({ title, count, share }) => [title, count, share.toFixed(3)]),
    },
  });
}

/** Dots on the page, over all steps. */
const MOST_DOTS = 3000;

/** Those that are furthest off, as many as the page has room for, in their order. */
function drawnSteps(steps: readonly number[], errors: readonly LaunchError[]): number[] {
  const count = Math.max(1, Math.min(4, Math.floor((MOST_DOTS * steps.length) / errors.length)));
  const share = (step: number) => worstShare(errors.filter((one) => one.step === step)) ?? 0;
  const worst = [...steps].sort((a, b) => share(b) - share(a)).slice(0, count);
  return steps.filter((step) => worst.includes(step));
}

/** Null where nothing was replayed. */
export function errorsSection(errors: readonly LaunchError[]): Html | null {
  if (errors.length === 0) return null;
  const steps = [...new Set(errors.map(({ step }) => step))];
  const shown = drawnSteps(steps, errors);
  const kernels = [...new Set(errors.map(({ kernel }) => kernel))].sort();
  const rows = kernels.map((kernel) => {
    const own = errors.filter((one) => one.kernel === kernel);
    const worst = own.reduce((most, one) => ((one.error ?? Infinity) > (most.error ?? Infinity) ? one : most));
    return { kernel, own, worst };
  });
  return section(
    'errors',
    'Is every kernel right?',
    ...shown.map((step) => errorFigure(errors, step)),
    shown.length < steps.length &&
      html`<p>Drawn are the steps that are furthest off; the other ${steps.length - shown.length} are counted below and in the JSON.</p>`,
    ulpFigure(errors),
    figure({
      id: 'errors-by-kernel',
      title: 'By kernel',
      caption: 'The worst result of each kernel.',
      picture: html``,
      data: {
        columns: ['kernel', 'results', 'largest relative error', 'tolerance', 'step', 'launch'].map((title, i) => ({
          title,
          isNumber: i > 0,
        })),
        rows: rows.map(({ kernel, own, worst }) => [
          kernel,
          own.length,
          worst.error === null ? 'no number' : numberText(worst.error),
          worst.tolerance === 0 ? 'exact' : numberText(worst.tolerance),
          worst.step,
          html`<a href="#launch-${worst.launch}" data-pick="${worst.launch}">${worst.launch}</a>`,
        ]),
      },
    }),
  );
}
