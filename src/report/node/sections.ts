/** The sections of a report, from the result down to what repeats it. Each is left out where there is nothing to show. */
import { SUMMARY_HEADER, summaryCells } from '../../experiments/index.ts';
import type { Series, Task } from '../aggregate.ts';
import { percent, short } from '../format.ts';
import { BALLS, type Norm } from '../layers.ts';
import {
  type Content,
  dataTable,
  disclosure,
  factsList,
  type Html,
  html,
  NOTHING,
  paragraph,
  section,
  verdict,
} from '../page/index.ts';
import type { ReportRun, Study } from '../runs.ts';
import { verdictOf } from '../verdict.ts';
import { accuracyFigure } from './figures/accuracies.ts';
import { curvesFigure } from './figures/curves.ts';
import { distancesOverTime } from './figures/distances.ts';
import { distanceHistograms } from './figures/histograms.ts';
import { sensitivityFigure } from './figures/sensitivity.ts';
import { tuningHistory, tuningValues } from './figures/tuning.ts';

/** A section of the page, with its title in the navigation. */
export interface Part {
  readonly id: string;
  readonly title: string;
  readonly content: Html;
}

export const partOf = (id: string, title: string, ...body: readonly Content[]): Part => ({
  id,
  title,
  content: section(id, title, ...body),
});

/** What a method is, in a few words; null where it is not known. */
export type AboutMethod = (method: string) => string | null;

export function resultPart(study: Study, tasks: readonly Task[], about: AboutMethod): Part {
  const { headline, sentences, tasks: each = [] } = verdictOf(study, tasks);
  const judged = tasks.filter(({ table }) => table !== null);
  return partOf(
    'result',
    'Result',
    verdict('info', headline, ...sentences, ...each.map(({ name, text }) => html`<b>${name}</b>: ${text}`)),
    progressTable(study.runs.filter(({ summary }) => summary === null)),
    judged.map(resultTable),
    glossary(judged, about),
    judged.filter(({ table }) => table!.rows.length > 1 || table!.rows[0]!.count > 1).map(accuracyFigure),
  );
}

/** Runs that go on, or were stopped. */
function progressTable(runs: readonly ReportRun[]): Html {
  if (runs.length === 0) return NOTHING;
  const hasTasks = new Set(runs.map(({ task }) => task)).size > 1;
  const columns = [
    'not complete',
    'seed',
    'epoch',
    'loss',
    'training accuracy',
    'validation accuracy',
    'distance/radius',
  ];
  return dataTable({
    caption: 'Runs that are not complete, as far as they got',
    columns: columns.map((title, i) => ({ title, isNumber: i > 0 })),
    isTall: runs.length > 12,
    rows: runs.map(({ task, method, factor, config, epochs, steps }) => {
      const last = epochs.at(-1);
      const step = steps.at(-1);
      return [
        [hasTasks && `${task}: `, method, factor !== null && ` × ${short(factor)}`],
        config.settings.seed,
        `${last?.epoch ?? 0} of ${config.settings.epochs}`,
        last ? short(last.loss) : step ? short(step.loss) : '',
        last && percent(last.accuracy),
        last?.validation && percent(last.validation.top1),
        last?.worstRatio === undefined || last.worstRatio === null ? '' : last.worstRatio.toFixed(6),
      ];
    }),
  });
}

function glossary(tasks: readonly Task[], about: AboutMethod): Html {
  const methods = [...new Set(tasks.flatMap(({ series }) => series.map(({ method }) => method)))];
  const facts = methods.flatMap((method) => {
    const text = about(method);
    return text === null ? [] : [[method, text] as const];
  });
  return facts.length === 0 ? NOTHING : disclosure('What the methods are', factsList(facts), 'methods');
}

/** What `marsgrad summarize` prints, and how far the runs stayed within their radii. */
function resultTable({ name, shortName, conditions, table, series }: Task): Html {
  const rows = table!.rows;
  const best = Math.max(...rows.map(({ mean }) => mean));
  const hasRatio = series.some((one) => ratioOf(one) !== null);
  return dataTable({
    caption: html`${shortName !== '' && html`<b>${shortName}</b>: `}${conditions || name}. Accuracy: mean ± sample standard deviation over seeds; gain: over the first row on the same seeds, p of a paired t-test.`,
    columns: [...SUMMARY_HEADER, ...(hasRatio ? ['distance/radius'] : [])].map((title, i) => ({
      title,
      isNumber: i > 1,
    })),
    rows: rows.map((row) => {
      const own = series.find((one) => one.row === row);
      const ratio = own ? ratioOf(own) : null;
      const cells = summaryCells({ ...row, settings: rounded(row.settings) });
      return [...cells, ...(hasRatio ? [ratio === null ? '' : ratio.toFixed(6)] : [])];
    }),
    best: rows.flatMap(({ mean }, i) => (rows.length > 1 && mean === best ? [i] : [])),
  });
}

/** Tuned values have more digits than anybody reads. */
const rounded = (text: string): string => text.replace(/\d+\.\d{4,}(e-?\d+)?/g, (number) => short(Number(number)));

/** The largest distance/radius after any step of any run. */
function ratioOf({ runs }: Series): number | null {
  const ratios = runs.flatMap(({ summary }) => summary?.worstRatio ?? []);
  return ratios.length === 0 ? null : Math.max(...ratios);
}

/** Beyond so many tasks, all but the first wait to be opened. */
const MAX_OPEN_TASKS = 2;
/** Beyond so many, figures would make the page larger than 3 MB. */
const MAX_DRAWN_TASKS = 4;

/** The figures of every task; nulls are left out. */
export function byTask(key: string, tasks: readonly Task[], make: (task: Task) => readonly (Html | null)[]): Html[] {
  const groups = tasks
    .slice(0, MAX_DRAWN_TASKS)
    .map((task) => ({ task, figures: make(task).filter((one): one is Html => one !== null) }));
  const shown = groups.filter(({ figures }) => figures.length > 0);
  if (shown.length <= MAX_OPEN_TASKS) return shown.flatMap(({ figures }) => figures);
  const left = tasks.length - MAX_DRAWN_TASKS;
  const note = `Figures of ${left} more tasks are left out, to keep the page small: a report of their folders alone has them.`;
  return [
    ...shown.map(({ task, figures }, i) => disclosure(task.shortName, figures, `${key}-${task.key}`, i === 0)),
    left > 0 ? paragraph(note) : NOTHING,
  ];
}

export function curvesPart(tasks: readonly Task[]): Part | null {
  const figures = byTask('curves', tasks, (task) => [curvesFigure(task)]);
  return figures.length === 0 ? null : partOf('curves', 'Learning curves', figures);
}

export function distancesPart(tasks: readonly Task[]): Part | null {
  const figures = byTask('distances', tasks, (task) => {
    const norms = normsOf(task);
    return [
      ...norms.map((norm) => distanceHistograms(task, norm)),
      ...norms.map((norm) => distancesOverTime(task, norm)),
    ];
  });
  return figures.length === 0 ? null : partOf('distances', 'How far the weights moved', figures);
}

/** Those in which a method keeps a radius; without any the paper's own. */
function normsOf({ series }: Task): readonly Norm[] {
  const kept = (['mars', 'frobenius'] as const).filter((norm) => series.some(({ method }) => method === BALLS[norm]));
  return kept.length === 0 ? ['mars'] : kept;
}

export function sensitivityPart({ runs }: Study): Part | null {
  const tasks = [...new Set(runs.filter(({ factor }) => factor !== null).map(({ task }) => task))];
  const figures = tasks.flatMap(
    (task, i) =>
      sensitivityFigure(
        runs.filter((run) => run.task === task),
        i,
      ) ?? [],
  );
  return figures.length === 0 ? null : partOf('sensitivity', 'Sensitivity to the strengths', figures);
}

export function tuningPart(tasks: readonly Task[]): Part | null {
  const figures = byTask('tuning', tasks, (task) => [tuningHistory(task), tuningValues(task)]);
  return figures.length === 0 ? null : partOf('tuning', 'Tuning', figures);
}

/** The command that repeats a run; null where it is not known. */
export type CommandOf = (run: ReportRun) => string | null;

export function repeatPart({ runs, recipe }: Study, commandOf: CommandOf): Part {
  const versions = new Set(runs.map(({ config: { marsgrad, node } }) => `marsgrad ${marsgrad}, Node ${node}`));
  const devices = new Set(runs.map(({ config: { device } }) => `${device.kind}, ${device.name}`));
  const inputs = new Map(
    runs.flatMap(({ config: { inputs: given } }) => [
      ...(given.weights ? [[given.weights.path, given.weights.sha256] as const] : []),
      [given.dataset.name, given.dataset.contentDigest] as const,
    ]),
  );
  // Runs that differ by their seed alone have the same data to tell of.
  const withoutSeed = (text: string) =>
    runs.length > 1 ? text.replace(/with seed \d+/g, "with the run's seed") : text;
  const described = new Set(runs.map(({ config }) => withoutSeed(config.inputs.dataset.description)));
  return partOf(
    'repeat',
    'To repeat this',
    paragraph(
      `With the same settings, inputs and kind of device a run gives the same weights, byte by byte. ${[...versions].join('; ')}. Devices: ${[...devices].join('; ')}.`,
    ),
    [...described].slice(0, 6).map((text) => paragraph(`Data: ${text}`)),
    recipe !== null &&
      disclosure(
        'The recipe of the sweep',
        html`<p>Saved as <code>recipe.json</code>: <code>marsgrad sweep recipe.json</code></p><pre>${recipe.trim()}</pre>`,
        'recipe',
      ),
    runs.length === 1 && commandBlock(runs[0]!, commandOf),
    dataTable({
      caption: 'Inputs',
      columns: [{ title: 'input' }, { title: 'sha256' }],
      rows: [...inputs].map(([name, digest]) => [name, html`<code>${digest}</code>`]),
    }),
    runs.length > 1 && disclosure(`All ${runs.length} runs: settings and digests`, runTable(runs, commandOf), 'runs'),
    runs.length === 1 &&
      disclosure('All settings', html`<pre>${JSON.stringify(runs[0]!.config.settings, null, 2)}</pre>`, 'settings'),
  );
}

function commandBlock(run: ReportRun, commandOf: CommandOf): Html {
  const command = commandOf(run);
  const files = Object.entries(run.summary?.files ?? {});
  return html`${command !== null && html`<pre>${command}</pre>`}${
    files.length > 0 &&
    dataTable({
      caption: 'Files of the run',
      columns: [{ title: 'file' }, { title: 'sha256' }],
      rows: files.map(([name, digest]) => [name, html`<code>${digest}</code>`]),
    })
  }`;
}

/** Beyond so many runs the commands are left to the run folders. */
const MAX_COMMANDS = 400;

function runTable(runs: readonly ReportRun[], commandOf: CommandOf): Html {
  const columns = ['run', 'begun', 'result', 'learning rate', 'strengths', 'weights (sha256)', 'command'];
  return dataTable({
    caption: 'Digests are cut to 16 digits here; they stand in full in the last line of each log.ndjson.',
    isTall: true,
    columns: columns.map((title) => ({ title })),
    rows: runs.slice(0, MAX_COMMANDS).map((run) => {
      const { settings, startedAt } = run.config;
      const { extractor, classifier } = settings.regularization;
      const strengths = [extractor, classifier].map((value) => (value === null ? '–' : short(value))).join(', ');
      const digest = run.summary?.files?.['weights.safetensors'];
      return [
        run.path,
        startedAt.slice(0, 19).replace('T', ' '),
        run.summary ? percent(run.summary.test.top1, 2) : 'not complete',
        short(settings.optimizer.learningRate),
        strengths,
        digest ? html`<code>${digest.slice(0, 16)}</code>` : NOTHING,
        html`<code>${commandOf(run)}</code>`,
      ];
    }),
  });
}
