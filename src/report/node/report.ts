/** The report as a page. */
import { tasksOf } from '../aggregate.ts';
import { type Html, html, page, paragraph } from '../page/index.ts';
import type { Study } from '../runs.ts';
import { describeStudy } from '../verdict.ts';
import { LIVE_SCRIPT, type LiveState } from './dashboard.ts';
import { mistakesPart, type OpenImages } from './mistakes.ts';
import { PLOT_STYLE } from './plot.ts';
import {
  type AboutMethod,
  type CommandOf,
  curvesPart,
  distancesPart,
  type Part,
  repeatPart,
  resultPart,
  sensitivityPart,
  tuningPart,
} from './sections.ts';

export interface ReportOptions {
  /** Null: no images are shown. */
  readonly openImages: OpenImages | null;
  readonly commandOf: CommandOf;
  readonly aboutMethod: AboutMethod;
  /** How the report itself was made. */
  readonly madeBy: string;
  /** Of a page that is served while runs go on. */
  readonly state?: LiveState;
}

/** One self-contained HTML file. */
export async function makeReport(study: Study, options: ReportOptions): Promise<string> {
  const tasks = tasksOf(study);
  const { openImages, commandOf, aboutMethod, madeBy, state } = options;
  const parts = [
    resultPart(study, tasks, aboutMethod),
    curvesPart(tasks),
    distancesPart(tasks),
    sensitivityPart(study),
    tuningPart(tasks),
    await mistakesPart(tasks, openImages),
    study.runs.length > 0 ? repeatPart(study, commandOf) : null,
  ].filter((part): part is Part => part !== null);
  return page({
    title: study.name ?? titleOf(study),
    kicker: html`marsgrad report${state && badge(state)}`,
    lead: paragraph(describeStudy(study, tasks)),
    sections: parts.map(({ id, title }) => [id, title]),
    body: parts.map(({ content }) => content),
    footer: html`Made by <code>${madeBy}</code>. This page is complete in itself: it loads nothing.`,
    style: PLOT_STYLE,
    ...(state && { isLive: true, script: LIVE_SCRIPT }),
  });
}

/** A page that is over does not claim to be live. */
const badge = (state: LiveState): Html =>
  html` · <span class="live" role="status" data-state="${state === 'live' ? 'on' : 'off'}">${state === 'live' ? 'live' : `not live any more: ${state}`}</span>`;

function titleOf({ runs, searches }: Study): string {
  const [first] = runs;
  if (!first) return searches.length > 0 ? 'Tuning' : 'Nothing has begun yet';
  const unique = (pick: (run: (typeof runs)[number]) => string) => new Set(runs.map(pick)).size === 1;
  const { network, dataset, command, regularization } = first.config.settings;
  const data = unique((run) => run.config.settings.dataset)
    ? dataset.split(/[\\/]/).filter(Boolean).at(-1)!
    : 'several data sets';
  const net = unique((run) => run.config.settings.network) ? network : 'Several networks';
  const verb = command === 'train' ? 'trained' : 'fine-tuned';
  const by = command !== 'train' && unique(({ method }) => method) ? ` by ${regularization.method}` : '';
  return `${net} ${verb} on ${data}${by}`;
}
