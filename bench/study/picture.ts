/** The paper's point as a picture: a constraint keeps its radius, whatever else happens; a penalty keeps none. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/** The norm that a method is about; MARS where it is about none. */
export const NORMS: { readonly [method: string]: 'mars' | 'frobenius' } = {
  'mars-pgm': 'mars',
  'mars-sp': 'mars',
  'l2-pgm': 'frobenius',
  'l2-sp': 'frobenius',
};

/** How far a run or a trial went. */
export interface Journey {
  readonly task: string;
  readonly method: string;
  readonly isTrial: boolean;
  /** Radius or coefficient; null: none. */
  readonly extractor: number | null;
  /** Largest distance of a convolution from its pre-trained weights after any epoch. */
  readonly largest: number;
  /** Largest distance/radius after any step; 0 without a constraint. */
  readonly worstRatio: number;
}

const PANELS = [
  { method: 'mars-pgm', column: 'constraint (x: its radius)', row: 'MARS' },
  { method: 'mars-sp', column: 'penalty (x: its coefficient)', row: 'MARS' },
  { method: 'l2-pgm', column: 'constraint (x: its radius)', row: 'Frobenius' },
  { method: 'l2-sp', column: 'penalty (x: its coefficient)', row: 'Frobenius' },
];

const COLORS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7'];
const POWERS = [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100];
const plain = (value: number): string => (value < 1e-3 ? value.toExponential(0) : String(value));
const WIDTH = 450;
const HEIGHT = 300;

/** An SVG on white, a panel for each method. */
export function drawDistances(journeys: readonly Journey[]): string {
  const tasks = [...new Set(journeys.map(({ task }) => task))];
  const shown = journeys.filter(({ largest, method }) => method in NORMS && Number.isFinite(largest) && largest > 0);
  const panels = PANELS.map((panel, i) => {
    const place = `translate(${(i % 2) * WIDTH} ${50 + Math.floor(i / 2) * HEIGHT})`;
    return `<g transform="${place}">${drawPanel(panel, shown, tasks)}</g>`;
  });
  const legend = tasks.map(
    (task, i) =>
      `<circle cx="${62 + i * 190}" cy="16" r="5" fill="none" stroke="${COLORS[i % COLORS.length]}" stroke-width="2"/><text x="${72 + i * 190}" y="20">${task}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${2 * WIDTH}" height="${60 + 2 * HEIGHT}" viewBox="0 0 ${2 * WIDTH} ${60 + 2 * HEIGHT}" font-family="Helvetica, Arial, sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="white"/>',
    ...legend,
    '<text x="62" y="38" fill="#555">○ a run, five seeds each · × a trial of its tuning · dashed: the radius</text>',
    ...panels,
    '</svg>',
  ].join('\n');
}

function drawPanel(
  { method, column, row }: (typeof PANELS)[number],
  journeys: readonly Journey[],
  tasks: readonly string[],
): string {
  const { document } = parseHTML('<html><body></body></html>');
  const rowMethods = PANELS.filter((panel) => panel.row === row).map((panel) => panel.method);
  const distances = journeys.filter((one) => rowMethods.includes(one.method)).map(({ largest }) => largest);
  const own = journeys.filter((one) => one.method === method && one.extractor !== null);
  const radii = own.map(({ extractor }) => extractor!);
  const isConstraint = method.endsWith('-pgm');
  const diagonal = isConstraint && radii.length > 0 ? [Math.min(...radii), Math.max(...radii)].map((r) => ({ r })) : [];
  const svg = Plot.plot({
    document: document as unknown as Document,
    figure: false,
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 62,
    marginTop: 46,
    marginBottom: 44,
    style: { background: 'white', fontSize: '12px' },
    x: {
      type: 'log',
      nice: true,
      label: `${column.includes('radius') ? 'radius' : 'coefficient'} of ${method} →`,
      ticks: POWERS,
      tickFormat: plain,
    },
    y: {
      type: 'log',
      nice: true,
      domain: [Math.min(...distances, ...radii.filter(() => isConstraint)), Math.max(...distances)],
      label: `↑ largest ${row} distance of a layer`,
      grid: true,
      ticks: POWERS,
      tickFormat: plain,
    },
    color: { domain: [...tasks], range: tasks.map((_, i) => COLORS[i % COLORS.length]!) },
    marks: [
      ...(isConstraint ? [Plot.line(diagonal, { x: 'r', y: 'r', stroke: '#888', strokeDasharray: '5 3' })] : []),
      Plot.dot(own, {
        x: 'extractor',
        y: 'largest',
        stroke: 'task',
        symbol: (one: Journey) => (one.isTrial ? 'times' : 'circle'),
        r: 4,
      }),
      Plot.text([`${method}: ${isConstraint ? 'a constraint' : 'a penalty'}`], {
        frameAnchor: 'top-right',
        dy: -40,
        fontWeight: 'bold',
      }),
    ],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return svg.outerHTML;
}
