/** The frame of every page: one file that asks for nothing from anywhere. */
import { type Content, html, markupOf, trusted } from './html.ts';
import { SCRIPT } from './script.ts';
import { STYLE } from './theme.ts';

export interface PageOptions {
  /** Of the window, and the page's first heading. */
  readonly title: string;
  /** A line above the title: what kind of page this is. */
  readonly kicker?: Content;
  /** Between title and navigation. */
  readonly lead?: Content;
  /** Of the navigation: ids of sections, and their titles. */
  readonly sections?: readonly (readonly [id: string, title: string])[];
  readonly body: Content;
  readonly footer?: Content;
  /** More CSS and JavaScript, beside what all pages have. */
  readonly style?: string;
  readonly script?: string;
  /** The page may ask the address that it came from for news. */
  readonly isLive?: boolean;
}

/** The page is complete without its script, and the browser is told to fetch nothing. */
export function page(options: PageOptions): string {
  const { title, kicker, lead, sections = [], body, footer, style = '', script = '', isLive = false } = options;
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:${isLive ? "; connect-src 'self'" : ''}`;
  const links = sections.map(([id, name]) => html`<li><a href="#${id}">${name}</a></li>`);
  return markupOf(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${title}</title>
<style>${trusted(STYLE + style)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header data-part id="top">
${
  kicker !== undefined &&
  html`<p class="kicker">${kicker}</p>
`
}<h1>${title}</h1>
${lead}
${links.length > 0 && html`<nav aria-label="Sections"><ul>${links}</ul></nav>`}
</header>
<main id="main">
${body}</main>
${footer !== undefined && html`<footer>${footer}</footer>`}
<script>${trusted(SCRIPT + script)}</script>
</body>
</html>
`);
}
