/** The audit as one self-contained HTML page: the verdict first, then every check, every layer, every launch, and its sources. */
import checker from '../../../../docs/check_run.py?raw';
import type { StepFile } from '../../../audit/format.ts';
import { type LaunchError, pageData } from '../../../audit/pageData.ts';
import { kernelSources } from '../../../audit/sources/kernels.ts';
import type { AuditReport } from '../../../audit/verdict.ts';
import type { LayerDistance } from '../../../regularizers/index.ts';
import { CHECKS_STYLE, checksSection } from '../../audit/checks.ts';
import { tapeGraph } from '../../audit/graph.ts';
import { LAYERS_STYLE, layersSection } from '../../audit/layers.ts';
import { sourcesSection, usersOf } from '../../audit/sources.ts';
import { flowsOf } from '../../audit/tape.ts';
import { jsonScript, tapeData } from '../../audit/tapeData.ts';
import { TAPE_SCRIPT, TAPE_STYLE } from '../../audit/tapeScript.ts';
import { failuresSection, headline, notProvedSection, verdictBox } from '../../audit/verdict.ts';
import { disclosure, factsList, type Html, html, page, section } from '../../page/index.ts';
import { PLOT_STYLE } from '../plot.ts';
import { errorsSection } from './errors.ts';
import { type DistancesLine, historySection } from './history.ts';

/** What the page shows beside the report: parts of the run folder, as they are. */
export interface AuditPageMaterial {
  /** step.json of the recorded steps. */
  readonly steps: readonly StepFile[];
  /** The `distances` lines of the log. */
  readonly history: readonly DistancesLine[];
  /** distances.json; empty where the run is not complete. */
  readonly distances: readonly LayerDistance[];
  /** Radii are multiples of the norms of what they bound. */
  readonly hasRelativeRadii: boolean;
  /** sha256 of config.json and of the log's last line: what fixes the whole folder. */
  readonly digests: { readonly config: string; readonly log: string };
}

/** The whole page; it asks for nothing from anywhere. */
export function auditPage(report: AuditReport, material: AuditPageMaterial): string {
  const errors = report.checks.flatMap(({ data }) => pageData(data).launches ?? []);
  const history = historySection(material.history, material.distances, {
    method: report.facts.method,
    isRelative: material.hasRelativeRadii,
  });
  const parts: readonly (readonly [id: string, title: string, content: Html | null])[] = [
    ['failures', 'Where it fails', failuresSection(report)],
    ['not-proved', 'Not proved', notProvedSection(report)],
    ['checks', 'Checks', checksSection(report.checks)],
    ['errors', 'Kernels', errorsSection(errors)],
    ['layers', 'Layers', layersSection(report.checks, material.distances)],
    ['constraint', 'Constraint', history],
    ...tapeParts(material.steps, errors),
    ['facts', 'Facts', factsSection(report, material)],
  ];
  const shown = parts.filter(([, , content]) => content !== null);
  return page({
    title: `${report.verdict === 'pass' ? 'Passed' : 'Failed'}: audit of ${report.run}`,
    kicker: 'marsgrad audit: is this what really happened?',
    lead: verdictBox(report, errors, material.steps),
    sections: shown.map(([id, title]) => [id, title]),
    body: shown.map(([, , content]) => content),
    footer: html`Made by marsgrad ${report.marsgrad} on ${report.auditedAt}, in ${report.seconds.toFixed(0)} s. ${headline(report)}`,
    style: PLOT_STYLE + CHECKS_STYLE + LAYERS_STYLE + TAPE_STYLE,
    script: TAPE_SCRIPT,
  });
}

const signature = ({ launches }: StepFile): string =>
  launches.map(({ kernel, module }) => `${kernel} ${module}`).join('\n');

function tapeParts(
  steps: readonly StepFile[],
  errors: readonly LaunchError[],
): (readonly [id: string, title: string, content: Html])[] {
  // The last recorded step stands for all: optimiser state and constraint are at work there.
  const shown = steps.at(-1);
  if (!shown) return [];
  if (shown.launches.some(({ index }, i) => index !== i))
    return [
      [
        'tape',
        'Tape',
        section(
          'tape',
          'The tape',
          html`<p>The launches of step ${shown.step} are not numbered as they should be.</p>`,
        ),
      ],
    ];
  const isSame = steps.every((step) => signature(step) === signature(shown));
  const kernels = [...new Set(shown.launches.map(({ kernel }) => kernel))].sort();
  return [
    [
      'tape',
      'Tape',
      tapeSection(shown, steps, isSame, isSame ? errors : errors.filter(({ step }) => step === shown.step)),
    ],
    ['sources', 'Sources', sourcesSection(kernels)],
  ];
}

function tapeSection(
  shown: StepFile,
  steps: readonly StepFile[],
  isSame: boolean,
  errors: readonly LaunchError[],
): Html {
  const byLaunch = new Map<number, LaunchError[]>();
  for (const error of errors) byLaunch.set(error.launch, [...(byLaunch.get(error.launch) ?? []), error]);
  const flows = flowsOf(shown.launches);
  const sources = kernelSources();
  const data = tapeData(shown, flows, byLaunch, (launch) => usersOf(launch, sources));
  const all = steps.map(({ step }) => step).join(', ');
  const others =
    steps.length === 1
      ? ''
      : isSame
        ? ` The recorded steps (${all}) all made the same launches.`
        : ` The other recorded steps (of ${all}) launched others.`;
  return section(
    'tape',
    'The tape: all that one step computed',
    html`<p>A training step is a list of small programs (<i>kernels</i>) launched one after the other. These are the ${shown.launches.length} launches of step
${shown.step}: down the left the network's forward pass, up the right the backward pass, each gradient beside the operation that it belongs to; at
the bottom the update of the weights and what keeps them in bounds.${others} A curve means that one reads what the other wrote. ${
      errors.length > 0 &&
      'The bar at the foot of a box shows how much of its tolerance the launch used: empty a millionth of it or less, full all of it.'
    }</p>
<p>Pick a launch, by mouse or with the arrow keys, to see its numbers, its definition in float64, its WGSL, and the operation that it belongs to.</p>`,
    html`<div class="tape-view"><div class="scroll" role="region" aria-label="graph of the step" tabindex="-1">${tapeGraph(shown.launches, flows, byLaunch)}</div>
<section id="launch-details" aria-live="polite" aria-label="the picked launch" tabindex="0"><p>Pick a launch in the graph.</p></section></div>
`,
    jsonScript('tape-data', data),
  );
}

function factsSection({ facts, run, marsgrad }: AuditReport, { digests }: AuditPageMaterial): Html {
  return section(
    'facts',
    'The run, and how to check it without us',
    factsList([
      ['run folder', run],
      ['made by', `marsgrad ${facts.marsgrad}, begun ${facts.startedAt}`],
      ['audited by', `marsgrad ${marsgrad}`],
      ['device', `${facts.device.kind}: ${facts.device.name}`],
      ['classes', facts.classes.join(', ')],
      ['recorded steps', facts.recordedSteps.length === 0 ? 'none' : facts.recordedSteps.join(', ')],
      ['sha256 of config.json', html`<code>${digests.config}</code>`],
      ['sha256 of the last line of log.ndjson', html`<code>${digests.log}</code>`],
    ]),
    html`<p>The last digest fixes every line of the log, and through them every file of the run. The format of the folder is written down in
<code>docs/audit.md</code> of marsgrad's repository. The program below verifies log, digests, accuracy, distances, updates and projections with nothing
of marsgrad, in a hundred lines of Python and NumPy: <code>python3 check_run.py ${run}</code>.</p>`,
    disclosure(html`<code>check_run.py</code>`, html`<pre tabindex="0"><code>${checker}</code></pre>`, 'checker'),
  );
}
