/** An audit of a run folder, from code: what `marsgrad audit` does. */
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { auditRun } from '../audit/audit.ts';
import { checks } from '../audit/checks/index.ts';
import type { AuditContext, Check } from '../audit/context.ts';
import { runFiles } from '../audit/node/runFiles.ts';
import { float64Check } from '../audit/replay/float64Check.ts';
import { kernelsCheck } from '../audit/replay/kernelsCheck.ts';
import { recordCheck } from '../audit/replay/recordCheck.ts';
import { stateCheck } from '../audit/replay/stateCheck.ts';
import { readRun } from '../audit/run.ts';
import { type AuditReport, type CheckResult, skipped } from '../audit/verdict.ts';
import type { DeviceKind } from '../devices/device.ts';
import { awaited, runElsewhere } from './auditElsewhere.ts';
import { sessionOpener, settingsHere } from './auditSession.ts';
import { UsageError } from './errors.ts';
import { Output } from './output.ts';
import { VERSION } from './package.ts';
import { rerunCheck } from './rerun.ts';

export interface AuditFolderOptions {
  /** Where recorded steps are done again. Default: on the run's own kind of device. */
  readonly on?: DeviceKind;
  /** Recorded steps that costly checks look at. Default: the first and the last. */
  readonly steps?: readonly number[] | 'all';
  /** Do recorded steps again. Default true. */
  readonly replay?: boolean;
  /** Only the checks of these ids; the others are reported as skipped. Default: all. */
  readonly only?: readonly string[];
  /** Do the whole run again; takes as long as it took. Default false. */
  readonly rerun?: boolean;
  /** All that checks can look at, in minutes instead of seconds. Default false. */
  readonly thorough?: boolean;
  /** The pre-trained weights and the data set, where they do not lie where the run had them. */
  readonly weights?: string;
  readonly dataset?: string;
  /** Replay in a second process, if this one is `marsgrad` itself. Default false. */
  readonly twoProcesses?: boolean;
  /** Of the CPU device. */
  readonly threads?: number;
  /** A file for the page; its folder must be there. */
  readonly html?: string;
  readonly signal?: AbortSignal;
  /** About what takes long. */
  readonly onMessage?: (text: string) => void;
  readonly onStart?: (check: Check) => void;
  readonly onResult?: (result: CheckResult) => void;
}

const REPLAYS: readonly Check[] = [kernelsCheck, stateCheck, float64Check];

/** What was kept comes before what is computed from it. */
const KEPT = checks.findIndex(({ id }) => id === 'continuity') + 1;

/** In the order in which they are done and shown. */
const CHECKS: readonly Check[] = [recordCheck, ...checks.slice(0, KEPT), ...REPLAYS, ...checks.slice(KEPT)];

/** Of the checks, in their order. */
export const CHECK_IDS: readonly string[] = CHECKS.map(({ id }) => id);

/** @throws Error where the folder holds no run, or a step that was asked for is not there; whatever else is wrong is in the report. */
export async function auditFolder(path: string, options: AuditFolderOptions = {}): Promise<AuditReport> {
  const { only, replay = true, rerun = false, html, onMessage = () => {}, onStart, onResult, signal } = options;
  if (html !== undefined) checkWritable(html);
  const context = await openAudit(path, options, onMessage);
  const isAsked = (check: Check) => (only?.includes(check.id) ?? true) && (replay || !REPLAYS.includes(check));
  const made = CHECKS.map((check) => (isAsked(check) ? check : leftOut(check)));
  const last = rerun ? [rerunCheckFor(options)] : [];
  const report = await auditRun(context, [...shared(path, made, context, options), ...last], {
    order: [...made, ...last].map(({ id }) => id),
    version: VERSION,
    ...(onStart && { onStart }),
    ...(onResult && { onResult }),
    ...(signal && { signal }),
  });
  if (html !== undefined) await writePage(html, report, context);
  return report;
}

/** Replaying goes to another process, where there may be one and there is more to do; here it comes last. */
function shared(
  path: string,
  asked: readonly Check[],
  { chosenSteps }: AuditContext,
  options: AuditFolderOptions,
): readonly Check[] {
  const replays = asked.filter((check) => REPLAYS.includes(check));
  const others = asked.filter((check) => !replays.includes(check));
  const isWorthIt = replays.length > 0 && chosenSteps.length > 0 && others.some((check) => CHECKS.includes(check));
  if (!options.twoProcesses || !isWorthIt) return asked;
  const elsewhere = runElsewhere(path, replays, options);
  return [...others, ...replays.map((check) => awaited(check, elsewhere))];
}

/** Before minutes are spent. */
function checkWritable(html: string): void {
  const folder = dirname(html);
  if (!existsSync(folder)) throw new UsageError(`--html ${html}: there is no folder ${folder}.`);
  if (existsSync(html) && statSync(html).isDirectory())
    throw new UsageError(`--html ${html} is a folder; name a file.`);
}

async function writePage(html: string, report: AuditReport, context: AuditContext): Promise<void> {
  // What draws is loaded by those alone who want a page.
  const { auditPage, auditPageMaterial } = await import('../report/node/audit/index.ts');
  writeFileSync(html, auditPage(report, await auditPageMaterial(context)));
}

/** What checks are given. */
export async function openAudit(
  path: string,
  { on, steps, thorough = false, weights, dataset, threads }: AuditFolderOptions,
  onMessage: (text: string) => void,
): Promise<AuditContext> {
  const output = silentOutput();
  let opener: AuditContext['open'] | undefined;
  const context: AuditContext = await readRun({
    path,
    files: runFiles(path),
    thorough,
    onMessage,
    ...(on && { replayOn: on }),
    ...(steps && { steps }),
    open: (device, wrap) => {
      const place = { config: context.config, output, weights: weights ?? null, dataset: dataset ?? null };
      opener ??= sessionOpener({ ...place, ...(threads !== undefined && { threads }) });
      return opener(device, wrap);
    },
  });
  return context;
}

function rerunCheckFor({ weights, dataset, threads, signal }: AuditFolderOptions): Check {
  const here = { weights: weights ?? null, dataset: dataset ?? null };
  return rerunCheck({
    settings: ({ config }) => settingsHere(config, here),
    output: silentOutput(),
    ...(threads !== undefined && { threads }),
    ...(signal && { signal }),
  });
}

/** Sessions and runs of an audit say nothing themselves. */
function silentOutput(): Output {
  const nowhere = { write: () => true } as unknown as NodeJS.WriteStream & { fd: 1 & 2 };
  return new Output(false, { stdout: nowhere, stderr: nowhere }, true);
}

const leftOut = (check: Check): Check => ({ ...check, run: async () => skipped('Left out on request.') });
