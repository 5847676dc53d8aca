/** A row per check: the question, the answer, and what was found. */
import { pageData } from '../../audit/pageData.ts';
import type { CheckResult, Finding, Status } from '../../audit/verdict.ts';
import { dataTable, disclosure, type Html, html, section } from '../page/index.ts';

const ANSWERS: Readonly<Record<Status, string>> = { pass: '✓ holds', fail: '✗ fails', skipped: '– not checked' };

export const answer = (status: Status): Html => html`<span class="status ${status}">${ANSWERS[status]}</span>`;

/** Six digits are enough to see which limit was missed by how much; shares of a limit need more. */
export function numberText(value: number | string | null | undefined, digits = 6): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string' || Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(digits))) : value.toExponential(3);
}

/** The JSON of the audit holds them all. */
const MOST_FINDINGS = 50;

function findingsList(findings: readonly Finding[], title: string): Html | false {
  if (findings.length === 0) return false;
  const left = findings.length - MOST_FINDINGS;
  const items = findings.slice(0, MOST_FINDINGS).map(({ place, message, value, limit }) => {
    const numbers = [
      value !== undefined && `found ${numberText(value)}`,
      limit !== undefined && `limit ${numberText(limit)}`,
    ];
    const shown = numbers.filter(Boolean).join(', ');
    return html`<li><b>${place}</b>: ${message}${shown !== '' && ` (${shown})`}</li>`;
  });
  return html`<p class="muted">${title}</p><ul>${items}${left > 0 && html`<li>and ${left} more, which are in the JSON</li>`}</ul>`;
}

function detailsOf({ id, findings, data, summary }: CheckResult): Html {
  const failed = findings.filter(({ status }) => status === 'fail');
  const notes = findings.filter(({ status }) => status === 'note');
  const tables = (pageData(data).tables ?? []).map(({ title, columns, rows }) => {
    const isNumber = (column: number) => rows.some((row) => typeof row[column] === 'number');
    return dataTable({
      caption: title,
      columns: columns.map((name, i) => ({ title: name, isNumber: isNumber(i) })),
      rows: rows.map((row) => row.map(numberText)),
      isTall: rows.length > 20,
    });
  });
  const shown = [findingsList(failed, 'What fails'), findingsList(notes, 'Worth knowing'), ...tables].filter(Boolean);
  if (shown.length === 0) return html`${summary}`;
  const many = [failed.length > 0 && `${failed.length} failing`, notes.length > 0 && `${notes.length} noted`].filter(
    Boolean,
  );
  const title = `Details${many.length > 0 ? `: ${many.join(', ')}` : ''}`;
  const body = disclosure(title, shown, `check-${id}-details`);
  return html`${summary}${failed.length > 0 ? trustedOpen(body) : body}`;
}

/** What failed is seen without asking. */
const trustedOpen = ({ markup }: Html): Html => ({ markup: markup.replace('<details', '<details open') });

export function checksSection(checks: readonly CheckResult[]): Html {
  const rows = checks.map(
    (
      check,
    ) => html`<tr role="row" id="check-${check.id}"><th scope="row" role="rowheader"><b>${check.title}</b><br>${check.question}</th><td role="cell">${answer(check.status)}</td>
<td role="cell">${detailsOf(check)}</td><td role="cell" class="number">${check.seconds.toFixed(1)} s</td></tr>
`,
  );
  return section(
    'checks',
    'What was asked, and the answers',
    html`<div class="scroll checks" tabindex="0" role="region" aria-label="checks"><table role="table"><caption>One row per check</caption>
<thead role="rowgroup"><tr role="row"><th scope="col" role="columnheader">Question</th><th scope="col" role="columnheader">Answer</th><th scope="col" role="columnheader">What was found</th><th scope="col" role="columnheader" class="number">Took</th></tr></thead>
<tbody role="rowgroup">
${rows}</tbody></table></div>`,
  );
}

export const CHECKS_STYLE = `
.checks > table { width: 100%; } .checks > table > tbody > tr > th { width: 38%; white-space: normal; } .checks > table > tbody > tr > td { overflow-wrap: anywhere; }
.checks ul { margin: .25rem 0 .5rem; padding-left: 1.1rem; }
.checks tr:target > * { background: var(--mark); }
@media (max-width: 40rem) {
  .checks > table, .checks > table > caption, .checks > table > tbody, .checks > table > tbody > tr, .checks > table > tbody > tr > * { display: block; width: auto; border: 0; text-align: left; padding: .1rem 0; }
  .checks > table > tbody > tr { border-bottom: 1px solid var(--rule); padding: .5rem 0; } .checks > table > thead { display: none; } .checks > table > tbody > tr > th { width: auto; }
}
`;
