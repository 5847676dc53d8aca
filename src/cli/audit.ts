/** `marsgrad audit`: what a run folder claims, recomputed. */
import { Command, Option } from 'commander';
import type { AuditReport, CheckResult, Finding } from '../audit/verdict.ts';
import { canRunElsewhere } from './auditElsewhere.ts';
import { auditFolder, CHECK_IDS } from './auditFolder.ts';
import type { Context } from './context.ts';
import { InterruptedError } from './errors.ts';
import { addOutputOptions, type OutputOptions, option } from './options.ts';
import { formatTable, Output } from './output.ts';
import { choice, choices, stepList, wholeNumber } from './parse.ts';

interface AuditOptions extends OutputOptions {
  readonly on?: (typeof REPLAY_DEVICES)[number];
  readonly steps?: readonly number[] | 'all';
  readonly only?: readonly string[];
  readonly replay: boolean;
  readonly rerun: boolean;
  readonly thorough: boolean;
  readonly alone: boolean;
  readonly weights?: string;
  readonly dataset?: string;
  readonly threads?: number;
  readonly html?: string;
}

const REPLAY_DEVICES = ['cpu', 'webgpu', 'reference'] as const;

const EXAMPLES = `
The exit code is 0 where everything holds that could be checked, and 1 otherwise. What is proved, and what is not: docs/audit.md.

Examples:
  marsgrad audit runs/demo/mars-pgm
  marsgrad audit runs/photos --on webgpu --json
  marsgrad audit runs/photos --html audit.html
  marsgrad audit runs/photos --weights resnet20.th --dataset photos/ --steps 1,500`;

export function auditCommand(context: Context): Command {
  const command = new Command('audit')
    .description('recompute what a run folder claims: its log, recorded steps, constraints, accuracy')
    .argument('<run>', 'a run folder')
    .addHelpText('after', EXAMPLES)
    .addOption(
      option(
        '--on <device>',
        `do recorded steps again on ${REPLAY_DEVICES.join(', ')} (default: the run's own)`,
        choice(REPLAY_DEVICES),
      ),
    )
    .addOption(
      option(
        '--steps <list>',
        'recorded steps to look at closely: 1,240, or all (default: the first and the last)',
        stepList,
      ),
    )
    .addOption(option('--only <ids>', `only these checks: ${CHECK_IDS.join(', ')}`, choices(CHECK_IDS)))
    .addOption(new Option('--no-replay', 'do no recorded step again'))
    .addOption(new Option('--rerun', 'do the whole run again too; takes as long as it took').default(false))
    .addOption(new Option('--thorough', 'look at all that can be looked at; takes minutes').default(false))
    .option('--weights <file>', 'the pre-trained weights, where they lie elsewhere than the run had them')
    .option('--dataset <name|folder>', 'the data set, likewise')
    .addOption(option('--threads <n>', 'of the CPU device', wholeNumber(1)))
    .addOption(new Option('--alone', 'in one process').default(false).hideHelp())
    .option('--html <file>', 'write the audit as one self-contained page too, with the tape of a step and all sources');
  addOutputOptions(command);
  return command.action((run: string, options: AuditOptions) => auditAndTell(run, options, context));
}

async function auditAndTell(run: string, options: AuditOptions, context: Context): Promise<void> {
  const output = new Output(options.json, context.streams);
  try {
    const { json: _, alone, ...rest } = options;
    const report = await auditFolder(run, {
      ...rest,
      twoProcesses: !alone && options.threads !== 1 && canRunElsewhere(),
      signal: context.signal,
      onMessage: (text) => output.message(`  ${text}`),
      onStart: ({ title }) => output.message(`${title} …`),
      onResult: (result) => output.record({ type: 'check', ...result }),
    });
    output.record({ type: 'summary', ...report });
    output.result(describeReport(report));
    if (options.html !== undefined) output.message(`The page: ${options.html}`);
    if (report.verdict === 'fail') throw new Error(verdictOf(report));
  } catch (error) {
    throw context.signal.aborted ? new InterruptedError('Interrupted; the audit is not complete.') : error;
  } finally {
    output.close();
  }
}

const WORDS = { pass: 'holds', fail: 'FAILS', skipped: 'skipped' } as const;
const MOST_FINDINGS = 10;

/** For people: what was found, the table of checks, the verdict. */
export function describeReport(report: AuditReport): string {
  const { checks, verdict } = report;
  const rows = checks.map(({ title, status, seconds }) => [title, WORDS[status], `${seconds.toFixed(1)} s`]);
  const parts = [formatTable([['check', '', 'time'], ...rows]), ...checks.map(describeCheck)];
  if (verdict === 'pass') parts.push(verdictOf(report));
  return parts.join('\n\n');
}

function describeCheck({ title, status, summary, findings }: CheckResult): string {
  const shown = findings.slice(0, MOST_FINDINGS).map(describeFinding);
  if (findings.length > shown.length) shown.push(`  … and ${findings.length - shown.length} more`);
  return [`${title}: ${WORDS[status]}. ${summary}`, ...shown].join('\n');
}

const describeFinding = ({ status, place, message }: Finding): string =>
  `  ${status === 'fail' ? 'FAILS' : 'note'}  ${place}: ${message}`;

function verdictOf({ checks, run, seconds }: AuditReport): string {
  const count = (status: CheckResult['status']) => checks.filter((check) => check.status === status).length;
  const left = count('skipped') > 0 ? ` ${count('skipped')} could not be made: nothing is said about them.` : '';
  const failed = checks.filter(({ status }) => status === 'fail').map(({ title }) => title);
  return failed.length > 0
    ? `The audit of ${run} fails: ${failed.join('; ')}.${left}`
    : `The audit of ${run} passes: ${count('pass')} checks hold.${left} ${seconds.toFixed(0)} s.`;
}
