/** Whether the record is complete and can be read. */
import type { Check } from '../context.ts';
import { plannedSteps } from '../format.ts';
import { outcomeOf, skipped } from '../verdict.ts';
import { failure, NOTHING_RECORDED } from './shared.ts';

export const recordCheck: Check = {
  id: 'record',
  title: 'Recorded steps',
  question: 'Are all the training steps there that this run was to keep for its audit?',
  async run({ config, log, steps, unreadable }) {
    const findings = unreadable.map(({ place, message }) => failure(place, message));
    const { record } = config;
    const planned = record && (record.first || record.last || record.every !== null || record.steps.length > 0);
    if (!planned && steps.length === 0 && findings.length === 0) return skipped(NOTHING_RECORDED);
    const summary = log.findLast(({ type }) => type === 'summary');
    const there = new Set(log.flatMap(({ type, step }) => (type === 'record' ? [step] : [])));
    const expected = record && summary ? plannedSteps(record, Number(summary.steps)) : [];
    for (const step of expected)
      if (!there.has(step))
        findings.push(failure(`step ${step}`, 'was to be recorded, and the log has no record of it.'));
    if (!summary)
      findings.push({
        status: 'note',
        place: 'log.ndjson',
        message: 'The run is not complete: its last step is not known.',
      });
    const names = steps.map(({ step }) => step);
    const listed = names.length > 12 ? `${names.slice(0, 11).join(', ')}, … ${names.at(-1)}` : names.join(', ');
    return outcomeOf(`${names.length} steps are recorded: ${listed || 'none that can be read'}.`, findings);
  },
};
