/** What pages are made of: escaped HTML, the theme, tables, figures, the frame. */
export { type PageOptions, page } from './document.ts';
export {
  type Column,
  dataTable,
  disclosure,
  type FigureOptions,
  factsList,
  figure,
  MAX_TABLE_ROWS,
  paragraph,
  section,
  type TableOptions,
  verdict,
} from './elements.ts';
export { type Content, escapeHtml, type Html, html, markupOf, NOTHING, trusted } from './html.ts';
