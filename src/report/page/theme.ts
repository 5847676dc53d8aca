/** How every page looks: light, dark and printed, by the same names. No font, image or rule comes from elsewhere. */

/**
 * Colours of the series 1 … 8: 3:1 against the page (WCAG 1.4.11), and apart from each other, from ink and from muted ink, also for those who do not
 * see red, green or blue (test/report/theme.test.ts). A series has a dash and a symbol of its own too: no picture needs the colours.
 */
export const SERIES = {
  light: ['#727efc', '#914904', '#54875b', '#513807', '#b44bbe', '#a89401', '#483186', '#f65295'],
  dark: ['#4f56d0', '#fd5a19', '#4aa36c', '#feb521', '#8b6086', '#8cdda0', '#be7ae7', '#ba351b'],
} as const;

const series = (colors: readonly string[]): string =>
  colors.map((color, i) => `--series-${i + 1}: ${color};`).join(' ');

const LIGHT = `color-scheme: light; --page: #ffffff; --surface: #f5f6f8; --ink: #16181d; --muted: #575d69; --rule: #d5d9e0; --faint: #e9ebef;
  --accent: #1f5fbf; --good: #0a7448; --bad: #b3261e; --warn: #8a5a00; --mark: #fff3c4; ${series(SERIES.light)}`;
const DARK = `color-scheme: dark; --page: #15171b; --surface: #1d2026; --ink: #e9ebf0; --muted: #a6adba; --rule: #3b414c; --faint: #2a2e36;
  --accent: #86b4f7; --good: #5bd09b; --bad: #ff8f85; --warn: #e8b64c; --mark: #4a3d10; ${series(SERIES.dark)}`;

export const STYLE = `
:root { ${LIGHT} }
@media (prefers-color-scheme: dark) { :root { ${DARK} } }
@media print { :root { ${LIGHT} } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; }
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
footer { padding: 1.5rem 1.25rem 3rem; color: var(--muted); font-size: .875rem; border-top: 1px solid var(--rule); margin-top: 3rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .25rem; text-wrap: balance; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 2.75rem 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .25rem; }
p { margin: .5rem 0; max-width: 46rem; }
a { color: var(--accent); }
code, pre, kbd { font: .875em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--surface); padding: .75rem 1rem; border-radius: 6px; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
figure .picture { overflow-x: auto; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: .5rem; z-index: 2; }
.muted, figcaption, caption { color: var(--muted); }
.kicker { color: var(--muted); margin: 0 0 .25rem; font-size: .9375rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; margin: 1rem 0 0; list-style: none; font-size: .9375rem; }
.verdict { border-left: 5px solid var(--accent); background: var(--surface); padding: .75rem 1.25rem; margin: 1.25rem 0; border-radius: 0 6px 6px 0; }
.verdict p { max-width: none; }
.verdict .headline { font-size: 1.2rem; font-weight: 600; line-height: 1.4; }
.verdict.pass { border-color: var(--good); } .verdict.fail { border-color: var(--bad); } .verdict.warn { border-color: var(--warn); }
.status { font-weight: 600; white-space: nowrap; }
.status.pass { color: var(--good); } .status.fail { color: var(--bad); } .status.skipped, .status.warn { color: var(--warn); }
.scroll { overflow-x: auto; max-width: 100%; }
.scroll.tall { max-height: 22rem; overflow-y: auto; }
table { border-collapse: collapse; font-size: .9375rem; margin: .5rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .35rem; font-size: .9375rem; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--faint); font-weight: 400; }
thead th { border-bottom: 1px solid var(--rule); color: var(--muted); vertical-align: bottom; background: var(--page); }
.tall thead th { position: sticky; top: 0; }
tbody th { white-space: nowrap; }
th.number, td.number { text-align: right; white-space: nowrap; }
tr.best th, tr.best td { font-weight: 700; }
details { margin: .35rem 0; } summary { cursor: pointer; color: var(--accent); font-size: .9375rem; width: fit-content; }
figure { margin: 1.25rem 0 2rem; } figcaption { font-size: .9375rem; max-width: 46rem; }
figure > h3 { margin-bottom: 0; }
figure svg { max-width: 100%; height: auto; display: block; color: var(--ink); overflow: visible; }
caption span { display: inline-block; max-width: min(60rem, calc(100vw - 2.5rem)); position: sticky; left: 0; }
section > details[data-key*=task-] { border-top: 1px solid var(--rule); padding: .5rem 0; } section > details[data-key*=task-] > summary { font-size: 1.05rem; font-weight: 600; }
.legend { display: flex; flex-wrap: wrap; gap: .15rem .35rem; padding: 0; margin: .5rem 0; list-style: none; }
.legend button { all: unset; box-sizing: border-box; cursor: pointer; display: inline-flex; align-items: center; gap: .4rem; font-size: .875rem; padding: .1rem .45rem; border: 1px solid transparent; border-radius: 4px; }
.legend button:hover { background: var(--surface); } .legend button[aria-pressed=true] { border-color: var(--ink); }
.legend button:focus-visible { outline: 2px solid var(--accent); }
.legend svg { width: 34px; height: 12px; flex: none; }
figure.picked .series { opacity: .1; } figure.picked .series.lit { opacity: 1; }
.images { display: flex; flex-wrap: wrap; gap: 1rem .9rem; padding: 0; margin: 1rem 0; list-style: none; }
.images li { width: 8.25rem; font-size: .8125rem; line-height: 1.35; overflow-wrap: anywhere; }
.images img { width: 8.25rem; height: 8.25rem; object-fit: contain; image-rendering: pixelated; background: var(--surface); border-radius: 4px; display: block; margin-bottom: .25rem; }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem 1rem; margin: .5rem 0; font-size: .9375rem; }
dl.facts dt { color: var(--muted); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
.live { display: inline-block; padding: .05rem .6rem; border-radius: 1rem; background: var(--surface); border: 1px solid var(--rule); font-size: .875rem; }
.live::before { content: ''; display: inline-block; width: .55rem; height: .55rem; border-radius: 50%; margin-right: .45rem; background: var(--muted); }
.live[data-state=on]::before { background: var(--good); } .live[data-state=lost]::before { background: var(--bad); }
@media (max-width: 40rem) { dl.facts { grid-template-columns: 1fr; gap: 0; } dl.facts dd { margin-bottom: .4rem; } h1 { font-size: 1.4rem; } figure svg.plot { max-width: none; min-width: 34rem; } .panels svg.plot { max-width: 100%; min-width: 0; } }
@media print {
  header, main, footer { max-width: none; } nav, .skip, .live, details:not([open]) { display: none; }
  figure, tr, .images li { break-inside: avoid; } h2, h3 { break-after: avoid; } body { font-size: 11pt; }
  .scroll, .scroll.tall { overflow: visible; max-height: none; } .verdict { border: 1px solid var(--rule); border-left-width: 5px; }
}`;
