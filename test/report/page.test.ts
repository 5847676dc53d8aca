import { describe, expect, it } from 'vitest';
import { drawPlot } from '../../src/report/node/plot.ts';
import { dataTable, figure, html, page, section, trusted, verdict } from '../../src/report/page/index.ts';

const HOSTILE = `<script>alert("x")</script>&'`;

describe('html', () => {
  it('escapes text, takes its own markup as it is, joins lists, leaves out nothing', () => {
    const inner = html`<b>${HOSTILE}</b>`;
    expect(inner.markup).toBe('<b>&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;</b>');
    expect(html`${inner}${[1, trusted('<i>'), null]}${undefined}${false}${0}`.markup).toBe(`${inner.markup}1<i>0`);
  });
});

describe('a page', () => {
  const table = { columns: [{ title: HOSTILE }, { title: 'n', isNumber: true }], rows: [[HOSTILE, 1]] };
  const text = page({
    title: HOSTILE,
    sections: [['a', HOSTILE]],
    body: [
      verdict('pass', HOSTILE),
      section('a', HOSTILE, dataTable({ ...table, caption: HOSTILE, best: [0] })),
      figure({ id: 'f', title: HOSTILE, caption: HOSTILE, picture: trusted('<svg></svg>'), data: table }),
    ],
  });

  it('lets no text become markup, whatever it is the name of', () => {
    expect(text.match(/<script>/g)).toHaveLength(1);
    expect(text).not.toContain('alert("x")');
    expect(text.split('&lt;script&gt;').length).toBeGreaterThan(10);
  });

  it('tells the browser to fetch nothing, but a live one its news', () => {
    expect(text).toContain('default-src &#39;none&#39;');
    expect(text).not.toContain('connect-src');
    expect(page({ title: '', body: '', isLive: true })).toContain('connect-src &#39;self&#39;');
    expect(text).not.toMatch(/(src|href)="(?!#|data:)/);
  });
});

describe('drawPlot', () => {
  it('draws the same bytes twice, rounds places and not numbers that are read, and escapes names', async () => {
    const Plot = await import('@observablehq/plot');
    const draw = (id: string) =>
      drawPlot(id, HOSTILE, {
        clip: true,
        marks: [Plot.text([{ x: 1 / 3, y: 2 / 3 }], { x: 'x', y: 'y', text: () => `0.12345 ${HOSTILE}` })],
      }).markup;
    expect(draw('a')).toBe(draw('a'));
    expect(draw('a')).toContain('0.12345 &lt;script&gt;');
    expect(draw('a')).not.toMatch(/transform="[^"]*\d\.\d\d/);
    expect(draw('a')).toContain('id="a-clip-1');
    expect(draw('b')).not.toContain('id="a-clip-1');
    expect(draw('a')).toMatch(/^<svg aria-label="&lt;script&gt;[^>]* role="img"/);
  });
});
