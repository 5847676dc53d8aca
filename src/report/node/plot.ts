/** Observable Plot into inline SVG, without a browser. */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import type { Look } from '../looks.ts';
import { escapeHtml, type Html, trusted } from '../page/index.ts';

/** Plot's own styles would be repeated in every picture. */
export const PLOT_STYLE = `
figure svg.plot { font: 12px system-ui, sans-serif; --plot-background: var(--page); }
figure svg.plot text, figure svg.plot tspan { white-space: pre; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr)); gap: 1rem; }
figure svg.plot [aria-label$=grid] { stroke: var(--faint); stroke-opacity: 1; }
`;

/** Attributes that hold places and lengths in pixels. */
const GEOMETRY = /\b(d|transform|x|y|dx|dy|x1|x2|y1|y2|cx|cy|r|width|height)="([^"]*)"/g;

/**
 * An SVG that says `description` to those who do not see it. `id`: unique on the page. `options` as of Plot.plot; colours may be
 * `var(--series-1)` and the like. Coordinates are rounded to a tenth of a pixel.
 */
export function drawPlot(id: string, description: string, options: Plot.PlotOptions): Html {
  const { document } = parseHTML('<html><body></body></html>');
  const svg = Plot.plot({
    width: 760,
    ...options,
    document: document as unknown as Document,
    className: 'plot',
    // An outer figure, as Plot makes one for its legends and titles, is not wanted here.
    figure: false,
  });
  for (const style of svg.querySelectorAll('style')) style.remove();
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', '');
  const rounded = (value: string) =>
    value.replace(/\d+\.\d{2,}/g, (number) => String(Math.round(Number(number) * 10) / 10));
  // Clip paths are found by id: Plot numbers them on and on, but ids must differ on a page, and be the same when it is drawn again.
  const ids = new Map<string, string>();
  const ownId = (name: string) => {
    if (!ids.has(name)) ids.set(name, `${id}-clip-${ids.size + 1}`);
    return ids.get(name)!;
  };
  return trusted(
    svg.outerHTML
      .replace(/\b(id="|url\(#)(plot-clip-\d+)/g, (_, before: string, name: string) => before + ownId(name))
      .replace(GEOMETRY, (_, name: string, value: string) => `${name}="${rounded(value)}"`)
      .replace('aria-label=""', `aria-label="${escapeHtml(description)}"`),
  );
}

/** A line through the series' look, for a legend. */
export function lookSample({ color, dash, symbol }: Look): Html {
  const mark = Plot.plot({
    document: parseHTML('<html></html>').document as unknown as Document,
    className: 'sample',
    width: 34,
    height: 12,
    margin: 0,
    x: { domain: [0, 34], range: [0, 34], axis: null },
    y: { domain: [0, 12], range: [12, 0], axis: null },
    marks: [
      Plot.link([0], { x1: 1, y1: 6, x2: 33, y2: 6, stroke: color, strokeWidth: 2, strokeDasharray: dash }),
      Plot.dot([0], { x: 17, y: 6, fill: color, symbol, r: 3.5 }),
    ],
  });
  for (const style of mark.querySelectorAll('style')) style.remove();
  mark.setAttribute('aria-hidden', 'true');
  return trusted(mark.outerHTML);
}

/** Buttons that bring the marks of class `name` forward: see `SCRIPT` in page/script.ts. */
export function legend(
  entries: readonly { readonly name: string; readonly title: string; readonly look: Look }[],
): Html {
  const items = entries.map(
    ({ name, title, look }) =>
      `<li><button type="button" aria-pressed="false" data-series="${escapeHtml(name)}">${lookSample(look).markup}${escapeHtml(title)}</button></li>`,
  );
  return trusted(`<ul class="legend" aria-label="Series">${items.join('')}</ul>\n`);
}
