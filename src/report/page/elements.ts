/** The parts that pages are made of: tables, figures, sections, verdicts. */
import { type Content, type Html, html, NOTHING, trusted } from './html.ts';

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. Default: text. */
  readonly isNumber?: boolean;
}

export interface TableOptions {
  readonly caption: Content;
  readonly columns: readonly Column[];
  /** The first cell of a row is its heading. */
  readonly rows: readonly (readonly Content[])[];
  /** Rows set in bold, by index. */
  readonly best?: readonly number[];
  /** Scrolls within itself. */
  readonly isTall?: boolean;
}

/** What scrolls can be reached by keyboard. */
export function dataTable({ caption, columns, rows, best = [], isTall = false }: TableOptions): Html {
  const kind = (column: number) => (columns[column]?.isNumber ? html` class="number"` : NOTHING);
  const head = columns.map(({ title }, i) => html`<th scope="col"${kind(i)}>${title}</th>`);
  const cell = (content: Content, i: number) =>
    i === 0 ? html`<th scope="row"${kind(i)}>${content}</th>` : html`<td${kind(i)}>${content}</td>`;
  const body = rows.map(
    (row, i) => html`<tr${best.includes(i) && html` class="best"`}>${row.map(cell)}</tr>
`,
  );
  return html`<div class="scroll${isTall && ' tall'}" tabindex="0" role="region" aria-label="${typeof caption === 'string' ? caption : 'table'}">
<table><caption><span>${caption}</span></caption><thead><tr>${head}</tr></thead><tbody>
${body}</tbody></table></div>`;
}

/** `key`: unique on the page; a live page keeps open what the reader opened. */
export function disclosure(summary: Content, body: Content, key?: string, isOpen = false): Html {
  return html`<details${key !== undefined && html` data-key="${key}"`}${isOpen && trusted(' open')}><summary>${summary}</summary>${body}</details>`;
}

/** A table behind a picture is cut off here: the run folders hold the rest. */
export const MAX_TABLE_ROWS = 300;

export interface FigureOptions {
  /** Unique on the page. */
  readonly id: string;
  readonly title: string;
  /** What is seen, and how to read it. */
  readonly caption: Content;
  /** An SVG with `role="img"`, or images. */
  readonly picture: Html;
  readonly legend?: Html;
  /** The numbers, for those who do not see the picture. */
  readonly data?: Omit<TableOptions, 'caption' | 'isTall'>;
}

export function figure({ id, title, caption, picture, legend = NOTHING, data }: FigureOptions): Html {
  const shown = data && { ...data, rows: data.rows.slice(0, MAX_TABLE_ROWS) };
  const rest = data ? data.rows.length - MAX_TABLE_ROWS : 0;
  const cut = rest > 0 ? `; ${rest} more rows are left out, the run folders hold them` : '';
  return html`<figure id="${id}" aria-labelledby="${id}-title"><h3 id="${id}-title">${title}</h3>
<figcaption>${caption}</figcaption>
${legend}<div class="picture" tabindex="0" role="region" aria-label="${title}">${picture}</div>
${shown && disclosure('Numbers', dataTable({ ...shown, caption: `${title}${cut}`, isTall: true }), `${id}-data`)}</figure>
`;
}

/** A live page is updated section by section. */
export function section(id: string, title: string, ...body: readonly Content[]): Html {
  return html`<section id="${id}" aria-labelledby="${id}-heading" data-part>
<h2 id="${id}-heading">${title}</h2>
${body}</section>
`;
}

export const paragraph = (...text: readonly Content[]): Html => html`<p>${text}</p>
`;

export function factsList(facts: readonly (readonly [name: string, value: Content])[]): Html {
  return html`<dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** What a reader should know after ten seconds. */
export function verdict(kind: 'info' | 'pass' | 'fail' | 'warn', headline: Content, ...more: readonly Content[]): Html {
  return html`<div class="verdict ${kind}"><p class="headline">${headline}</p>${more.map((text) => paragraph(text))}</div>`;
}
