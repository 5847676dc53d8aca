/** The tape drawn as SVG: every launch is a link to its kernel's source, which the script turns into a button that shows all about it. */
import type { RecordedLaunch } from '../../audit/format.ts';
import type { LaunchError } from '../../audit/pageData.ts';
import { type Html, html } from '../page/index.ts';
import { BOX_HEIGHT, BOX_WIDTH, type Box, draw, type Flow, type Label, pathBetween, tapeOf } from './tape.ts';

/** `unary relu`: kernels that are told by a constant what to do. */
export function launchTitle({ kernel, constants }: RecordedLaunch): string {
  const { operator } = constants;
  return typeof operator === 'string' ? `${kernel} ${operator}` : kernel;
}

export const placeOf = ({ module, operation, phase }: RecordedLaunch): string => {
  const where = module === '' ? 'the network' : module;
  return `${phase === 'backward' ? 'gradient of ' : ''}${operation ?? phase} in ${where}`;
};

/** As a share of what is allowed; null where nothing was replayed. Above 1: beyond the tolerance. */
export function worstShare(errors: readonly LaunchError[]): number | null {
  if (errors.length === 0) return null;
  return Math.max(
    ...errors.map(({ error, tolerance }) => {
      if (error === null) return Number.POSITIVE_INFINITY;
      return error === 0 ? 0 : error / tolerance;
    }),
  );
}

/** How far a box is filled: from a millionth of the tolerance (empty) to all of it, by orders of magnitude. */
const fillOf = (share: number): number => (share <= 0 ? 0 : Math.min(1, Math.max(0, 1 + Math.log10(share) / 6)));

function box({ launch, x, y }: Box, errors: readonly LaunchError[]): Html {
  const share = worstShare(errors);
  const judged = share === null ? 'not replayed' : share > 1 ? 'beyond its tolerance' : 'within its tolerance';
  const state = share === null ? 'open' : share > 1 ? 'bad' : 'good';
  const title = launchTitle(launch);
  const text = title.length > 24 ? `${title.slice(0, 23)}…` : title;
  const meter =
    share !== null &&
    html`<rect class="meter" x="${x + 1}" y="${y + BOX_HEIGHT - 4}" width="${Math.round((BOX_WIDTH - 2) * fillOf(share))}" height="3"/>`;
  return html`<a class="launch ${launch.phase} ${state}" href="#kernel-${launch.kernel}" id="launch-${launch.index}" data-launch="${launch.index}" aria-label="Launch ${launch.index}, ${title}: ${placeOf(launch)}, ${judged}"><rect x="${x}" y="${y}" width="${BOX_WIDTH}" height="${BOX_HEIGHT}" rx="4"/>${meter}<text x="${x + 7}" y="${y + 14}">${text}</text></a>
`;
}

const label = ({ x, y, text, kind }: Label): Html =>
  html`<text class="${kind}" x="${x}" y="${y}">${kind === 'module' && text.length > 21 ? `${text.slice(0, 20)}…` : text}</text>
`;

/** `errors`: of this step, by launch. */
export function tapeGraph(
  launches: readonly RecordedLaunch[],
  flows: readonly Flow[],
  errors: ReadonlyMap<number, readonly LaunchError[]>,
): Html {
  const { width, height, boxes, labels, rules } = draw(tapeOf(launches));
  const boxOf = new Map(boxes.map((one) => [one.launch.index, one]));
  const edges = uniquePairs(flows.filter(({ isState }) => !isState)).map(
    ({ from, to }) =>
      html`<path d="${pathBetween(boxOf.get(from)!, boxOf.get(to)!)}" data-f="${from}" data-t="${to}"/>`,
  );
  return html`<svg class="tape" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="group" aria-label="The ${launches.length} launches of the step">
<g class="rules">${rules.map((y) => html`<line x1="10" x2="${width - 10}" y1="${y}" y2="${y}"/>`)}</g>
<g class="flows" aria-hidden="true">${edges}</g>
<g aria-hidden="true">${labels.map(label)}</g>
${boxes.map((one) => box(one, errors.get(one.launch.index) ?? []))}</svg>`;
}

function uniquePairs(flows: readonly Flow[]): Flow[] {
  const pairs = new Map(flows.map((flow) => [`${flow.from} ${flow.to}`, flow]));
  return [...pairs.values()];
}
