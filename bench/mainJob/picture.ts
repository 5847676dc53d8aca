/** The picture of the main job: how far every layer moved, free and held, and what that did to the accuracy. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { LayerDistance } from '../../src/regularizers/index.ts';

export interface MethodResult {
  readonly method: string;
  readonly radiusExtractor: number | null;
  /** Of the test accuracies of all seeds. */
  readonly mean: number;
  readonly deviation: number;
  readonly runs: readonly { readonly distances: readonly LayerDistance[] }[];
}

const COLORS: { readonly [method: string]: string } = { none: '#d1495b', 'mars-pgm': '#00798c' };

/** An SVG on white: MARS distance of every convolution from its pre-trained weights, one dot per seed, and the radius. */
export function drawMainJob(results: readonly MethodResult[]): string {
  const { document } = parseHTML('<html><body></body></html>');
  const dots = results.flatMap(({ method, runs }) =>
    runs.flatMap(({ distances }) =>
      distances.filter(({ kind }) => kind === 'conv2d').map(({ layer, mars }) => ({ method, layer, mars })),
    ),
  );
  const layers = [...new Set(dots.map(({ layer }) => layer))];
  const percent = (share: number) => (100 * share).toFixed(1);
  const radius = results.find(({ radiusExtractor }) => radiusExtractor !== null)?.radiusExtractor;
  const svg = Plot.plot({
    document: document as unknown as Document,
    width: 860,
    height: 420,
    marginBottom: 90,
    marginLeft: 60,
    style: { background: 'white', fontSize: '12px' },
    x: { type: 'point', domain: layers, tickRotate: -45, label: null },
    y: {
      type: 'log',
      label: 'MARS distance from the pre-trained weights',
      grid: true,
      ticks: [0.2, 0.3, 0.5, 1, 2],
      tickFormat: String,
    },
    marginTop: 30,
    color: { domain: Object.keys(COLORS), range: Object.values(COLORS) },
    marks: [
      ...(radius ? [Plot.ruleY([radius], { stroke: COLORS['mars-pgm']!, strokeDasharray: '4 3' })] : []),
      Plot.dot(dots, { x: 'layer', y: 'mars', stroke: 'method', r: 4 }),
      ...results.map(({ method, mean, deviation }, i) =>
        Plot.text([`${method}: test accuracy ${percent(mean)} ± ${percent(deviation)} %`], {
          frameAnchor: 'top-left',
          fill: COLORS[method]!,
          dy: 18 * i + 4,
          fontWeight: 'bold',
          fontSize: 14,
        }),
      ),
    ],
  });
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('font-family', 'Helvetica, Arial, sans-serif');
  return svg.outerHTML;
}
