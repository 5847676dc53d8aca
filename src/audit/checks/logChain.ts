/**
 * The log is a chain: every line holds the sha256 of the line before it (the first, of config.json), the last line those of the result
 * files, and the lines of type `record` those of the recorded steps. Who edits a line breaks the chain at the next one; who mends all
 * later lines too changes the digest of the last one, and contradicts what the other checks recompute.
 */

import type { AuditContext, Check } from '../context.ts';
import { sha256 } from '../digest.ts';
import { stepFolder } from '../format.ts';
import { outcomeOf } from '../verdict.ts';
import { count, Findings } from './support.ts';

interface ChainedLine {
  readonly type: string;
  readonly step?: unknown;
  readonly epoch?: unknown;
  readonly previous?: unknown;
  readonly files?: unknown;
}

const lineName = (lines: readonly ChainedLine[], at: number): string => {
  const { type, step, epoch } = lines[at]!;
  const where =
    typeof step === 'number'
      ? ` (${type}, step ${step}${typeof epoch === 'number' ? `, epoch ${epoch}` : ''})`
      : ` (${type})`;
  return `log.ndjson, line ${at + 1}${where}`;
};

export const logChain: Check = {
  id: 'log-chain',
  title: 'The log is whole',
  question: 'Was a line of the log, or a file that it names, changed, cut out or put in after it was written?',
  async run(context) {
    const findings = new Findings();
    const head = await checkLines(context, findings);
    const files = await checkFiles(context, findings);
    const { length } = context.logLines;
    const summary = findings.failed
      ? `${count(findings.failed, 'link')} of the log's chain broken.`
      : `${count(length, 'line')}, each with the digest of the one before it, and ${count(files, 'file')} with the digests in the log.`;
    const tables = [
      {
        title: 'The chain',
        columns: ['what', 'sha256'],
        rows: [['last line of the log: it stands for the whole', head]],
      },
    ];
    return outcomeOf(summary, findings.list(), { head, tables });
  },
};

/** Returns the digest of the last line. */
async function checkLines({ configBytes, logLines, log }: AuditContext, findings: Findings): Promise<string> {
  let before = await sha256(configBytes);
  if (logLines.length === 0) findings.fail('log.ndjson', 'the log is empty');
  for (const [at, line] of logLines.entries()) {
    const record = log[at] as ChainedLine;
    if (record.type === 'unreadable') findings.fail(lineName(log, at), 'is no JSON object');
    else if (record.previous !== before) {
      const suspect = at === 0 ? 'config.json' : lineName(log, at - 1);
      findings.fail(suspect, `was changed, or a line after it is missing: line ${at + 1} was written after other text`);
    }
    before = await sha256(line);
  }
  const summaries = log.flatMap(({ type }, at) => (type === 'summary' ? [at] : []));
  if (summaries.length === 0)
    findings.fail('log.ndjson', 'has no summary: the run is not complete, or its end was cut off');
  for (const at of summaries)
    if (at !== log.length - 1) findings.fail(lineName(log, at), 'is a summary, but lines follow it');
  return before;
}

/** Returns how many files were compared. */
async function checkFiles({ files, log, config }: AuditContext, findings: Findings): Promise<number> {
  const named = log.flatMap(({ type, files: own, step }) => {
    if (typeof own !== 'object' || own === null) return [];
    const folder = type === 'record' ? `${stepFolder(Number(step))}/` : '';
    return Object.entries(own as Record<string, string>).map(
      ([name, digest]) => [name.includes('/') ? name : folder + name, digest] as const,
    );
  });
  const known = new Map(named);
  for (const [name, digest] of known) {
    if (!files.exists(name)) findings.fail(name, 'is missing; the log holds its digest');
    else if ((await sha256(await files.read(name))) !== digest)
      findings.fail(name, 'is not the file that the run wrote: its sha256 is not the one in the log');
  }
  const isComplete = log.at(-1)?.type === 'summary';
  for (const name of files.list()) {
    const isOfRecord = name.startsWith('record/');
    if (isOfRecord && !known.has(name)) findings.fail(name, 'is not in the log: it was put in afterwards');
    if (!isOfRecord && isComplete && RESULTS.includes(name) && !known.has(name))
      findings.fail(name, 'has no digest in the log');
  }
  if (config.record === undefined) findings.note('config.json', 'the run was made by a version that recorded no steps');
  return known.size;
}

const RESULTS: readonly string[] = ['weights.safetensors', 'predictions.safetensors', 'distances.json'];
