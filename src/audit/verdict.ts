/** What an audit finds, as plain JSON: `marsgrad audit --json` writes it, the page shows it. */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** `skipped`: the run folder does not hold what the check needs; `summary` says what. */
export type Status = 'pass' | 'fail' | 'skipped';

export interface Finding {
  /** A `note` is worth knowing and fails nothing. */
  readonly status: 'fail' | 'note';
  /** `step 7, layer1.0.conv1.weight, row 3`. */
  readonly place: string;
  readonly message: string;
  readonly value?: number;
  /** What `value` may be at most (or must be, where the message says so). */
  readonly limit?: number;
}

/** What a check returns; the runner adds the rest. */
export interface Outcome {
  readonly status: Status;
  /** One sentence with numbers. */
  readonly summary: string;
  readonly findings: readonly Finding[];
  /** Tables and histograms for the page. */
  readonly data?: JsonValue;
}

export interface CheckResult extends Outcome {
  /** `log-chain`. */
  readonly id: string;
  readonly title: string;
  /** What is asked, in words for a reader who has never seen the project. */
  readonly question: string;
  readonly seconds: number;
}

export interface AuditedRun {
  readonly network: string;
  readonly method: string;
  readonly dataset: string;
  readonly classes: readonly string[];
  readonly device: { readonly kind: string; readonly name: string };
  /** The version of marsgrad that made the run. */
  readonly marsgrad: string;
  readonly startedAt: string;
  readonly epochs: number;
  /** As the log's summary has it; null where the run is not complete. */
  readonly steps: number | null;
  readonly recordedSteps: readonly number[];
  /** Share of the images that decide whose class is right; null where the run is not complete. */
  readonly accuracy: number | null;
}

export interface AuditReport {
  readonly format: 1;
  /** The run folder. */
  readonly run: string;
  /** The version of marsgrad that audited. */
  readonly marsgrad: string;
  /** ISO 8601. */
  readonly auditedAt: string;
  /** `fail` where any check failed. */
  readonly verdict: 'pass' | 'fail';
  readonly checks: readonly CheckResult[];
  readonly facts: AuditedRun;
  readonly seconds: number;
}

/** Fails where any finding does. */
export const outcomeOf = (summary: string, findings: readonly Finding[], data?: JsonValue): Outcome => ({
  status: findings.some(({ status }) => status === 'fail') ? 'fail' : 'pass',
  summary,
  findings,
  ...(data !== undefined && { data }),
});

export const skipped = (summary: string): Outcome => ({ status: 'skipped', summary, findings: [] });
