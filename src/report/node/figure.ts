/** A picture of several panels as one SVG file that stands by itself: on white, with its legend, for pages that show files. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { escapeHtml } from '../page/index.ts';

export interface Panel {
  readonly title: string;
  /** As of Plot.plot, without a size. */
  readonly options: Plot.PlotOptions;
}

export interface LegendEntry {
  readonly title: string;
  readonly color: string;
  /** SVG's stroke-dasharray; left out: a line. */
  readonly dash?: string;
  readonly width?: number;
}

export interface FigureOptions {
  /** For those who do not see it. */
  readonly description: string;
  readonly columns: number;
  readonly panelWidth: number;
  readonly panelHeight: number;
  readonly legend: readonly LegendEntry[];
  readonly legendColumns?: number;
}

const LEGEND_LINE = 20;
const TITLE_HEIGHT = 22;
const MARGIN = 10;

/** The panels row by row, the legend above them. */
export function drawFigure(panels: readonly Panel[], options: FigureOptions): string {
  const { columns, panelWidth, panelHeight, legend, description, legendColumns = 3 } = options;
  const width = columns * panelWidth + 2 * MARGIN;
  const top = Math.ceil(legend.length / legendColumns) * LEGEND_LINE + 2 * MARGIN;
  const rows = Math.ceil(panels.length / columns);
  const height = top + rows * (panelHeight + TITLE_HEIGHT) + MARGIN;
  const parts = panels.map((panel, i) => {
    const [x, y] = [MARGIN + (i % columns) * panelWidth, top + Math.floor(i / columns) * (panelHeight + TITLE_HEIGHT)];
    const title = `<text x="${x + 4}" y="${y + 15}" font-size="13" font-weight="bold">${escapeHtml(panel.title)}</text>`;
    return title + placed(panel, x, y + TITLE_HEIGHT, panelWidth, panelHeight, i);
  });
  const entries = legend.map((entry, i) => {
    const x = MARGIN + 8 + (i % legendColumns) * ((width - 2 * MARGIN) / legendColumns);
    return legendEntry(entry, x, MARGIN + 12 + Math.floor(i / legendColumns) * LEGEND_LINE);
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img"`,
    ` aria-label="${escapeHtml(description)}" font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...entries,
    ...parts,
    '</svg>\n',
  ].join('');
}

function placed({ options }: Panel, x: number, y: number, width: number, height: number, index: number): string {
  const { document } = parseHTML('<html><body></body></html>');
  const svg = Plot.plot({
    ...options,
    width,
    height,
    document: document as unknown as Document,
    className: `panel-${index + 1}`,
    figure: false,
  });
  for (const style of svg.querySelectorAll('style')) style.remove();
  svg.setAttribute('x', String(x));
  svg.setAttribute('y', String(y));
  // Plot numbers its clip paths over the life of the process; a picture that is drawn again must be the same.
  const ids = new Map<string, string>();
  const ownId = (id: string) => {
    if (!ids.has(id)) ids.set(id, `panel-${index + 1}-clip-${ids.size + 1}`);
    return ids.get(id)!;
  };
  return svg.outerHTML
    .replace(/plot-clip-\d+/g, ownId)
    .replace(/-?\d+\.\d{3,}/g, (number) => String(Math.round(Number(number) * 10) / 10));
}

function legendEntry({ title, color, dash, width = 1.6 }: LegendEntry, x: number, y: number): string {
  const dashes = dash ? ` stroke-dasharray="${dash}"` : '';
  const line = `<line x1="${x}" y1="${y - 4}" x2="${x + 30}" y2="${y - 4}" stroke="${color}" stroke-width="${width}"${dashes}/>`;
  return `${line}<text x="${x + 38}" y="${y}">${escapeHtml(title)}</text>`;
}
