/** The verdict in plain words, for a reader who has never seen the project. */
import type { StepFile } from '../../audit/format.ts';
import type { LaunchError } from '../../audit/pageData.ts';
import type { AuditReport, CheckResult } from '../../audit/verdict.ts';
import { type Html, html, section, verdict } from '../page/index.ts';
import { worstShare } from './graph.ts';

const withStatus = ({ checks }: AuditReport, status: CheckResult['status']): CheckResult[] =>
  checks.filter((check) => check.status === status);

export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

const joined = (words: readonly string[]): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;

export function headline(report: AuditReport): string {
  const failed = withStatus(report, 'fail').length;
  const left = withStatus(report, 'skipped').length;
  if (report.verdict === 'fail')
    return `This run does not hold: ${failed} of ${plural(report.checks.length, 'check')} failed.`;
  if (left > 0) return `All that could be checked holds; ${plural(left, 'check')} could not be made.`;
  return `All ${plural(report.checks.length, 'check')} hold.`;
}

/** What a method does to the weights, in words. */
function methodWords(method: string): string {
  if (method === 'none') return 'without any constraint or penalty';
  if (method === 'mars-pgm' || method === 'l2-pgm')
    return `by the method ${method}, which after every step brings each layer's weights back to within a set distance of where they began`;
  if (['l2-sp', 'mars-sp', 'delta', 'bss'].includes(method))
    return `by the method ${method}, which adds a penalty to what training makes small`;
  return `by the method ${method}`;
}

function claim({ facts }: AuditReport): string {
  const { network, method, dataset, classes, device, startedAt, epochs, steps, accuracy } = facts;
  const length =
    steps === null ? 'It did not come to its end' : `It took ${plural(steps, 'step')} (${plural(epochs, 'epoch')})`;
  const result =
    accuracy === null
      ? ''
      : ` In the end, it says, ${(100 * accuracy).toFixed(2)} % of the images kept for the final test were classified correctly.`;
  return `What the run claims: on ${startedAt.slice(0, 10)}, a neural network that classifies images (${network}) was trained on ${dataset}, ${plural(classes.length, 'class', 'classes')}, ${methodWords(method)}. ${length} on this kind of device: ${device.kind} (${device.name}).${result}`;
}

/** Of the replayed launches; null where there were none. */
function sureness(errors: readonly LaunchError[], steps: readonly StepFile[]): string | null {
  const share = worstShare(errors);
  if (share === null) return null;
  const replayed = new Set(errors.map(({ step }) => step));
  const seen = new Set(errors.map(({ step, launch }) => `${step} ${launch}`)).size;
  const made = steps.reduce((sum, { step, launches }) => sum + (replayed.has(step) ? launches.length : 0), 0);
  const many = seen < made ? `${seen} of the ${made} operations` : `all ${seen} operations`;
  const within =
    share <= 1
      ? `none is further from the exact result than its definition allows; the worst uses ${share < 0.001 ? 'less than 0.1' : (100 * share).toPrecision(2)} % of what is allowed`
      : 'at least one is further from the exact result than its definition allows';
  return `How sure: of ${plural(replayed.size, 'recorded step')}, ${many} were done again in 64-bit arithmetic by a second, slow and readable implementation: ${within}.`;
}

/** What no audit of a folder can find, as far as this one goes. */
function notProved({ facts, checks }: AuditReport): string[] {
  const { recordedSteps, steps } = facts;
  const rerun = checks.some(({ id, status }) => id === 'rerun' && status === 'pass');
  const between = rerun
    ? []
    : [
        recordedSteps.length === 0
          ? 'That the steps were computed as they should be: none was recorded. Record some with --record, or repeat the whole run with audit --rerun.'
          : `That the steps which were not recorded (${steps === null ? 'all others' : steps - recordedSteps.length} of ${steps ?? 'the run'}) were computed as the recorded ones were. The log ties them in, but only audit --rerun does them again.`,
      ];
  return [
    ...between,
    'That this is the only run there was. Whoever trains often and shows the best run hands over an honest folder of it.',
    'That the labels of the images are true, or that the images are what the data set is said to be: the digests say that they are the same images, no more.',
    'When and by whom it was made. The digests tie the parts of the folder to each other, not to a clock or a name; who wants that puts the digest of the last line of the log where it cannot be changed.',
  ];
}

/** `steps`: all that were recorded. */
export function verdictBox(report: AuditReport, errors: readonly LaunchError[], steps: readonly StepFile[]): Html {
  const failed = withStatus(report, 'fail');
  const left = withStatus(report, 'skipped');
  const passed = withStatus(report, 'pass').length;
  const sure = sureness(errors, steps);
  const kind = report.verdict === 'fail' ? 'fail' : left.length > 0 ? 'warn' : 'pass';
  return verdict(
    kind,
    headline(report),
    claim(report),
    `What was checked: ${plural(passed + failed.length, 'question')}, answered below one by one; ${passed} hold${failed.length > 0 ? `, ${failed.length} ${failed.length === 1 ? 'does' : 'do'} not` : ''}.`,
    sure,
    left.length > 0 && `Not checked: ${joined(left.map(({ title }) => title))}.`,
  );
}

/** The first place of every check that fails; null where none does. */
export function failuresSection(report: AuditReport): Html | null {
  const places = withStatus(report, 'fail').map(({ id, title, summary, findings }) => {
    const first = findings.find(({ status }) => status === 'fail');
    return html`<li><a href="#check-${id}">${title}</a>: ${first ? `${first.place}: ${first.message}` : summary}</li>`;
  });
  return places.length === 0 ? null : section('failures', 'Where it fails', html`<ul>${places}</ul>`);
}

export const notProvedSection = (report: AuditReport): Html =>
  section(
    'not-proved',
    'What this does not prove',
    html`<ul>${notProved(report).map((text) => html`<li>${text}</li>`)}</ul>`,
  );
