/** Goes through the checks one after the other, and makes the report of what they find. */
import type { AuditContext, Check } from './context.ts';
import type { AuditedRun, AuditReport, CheckResult, Outcome } from './verdict.ts';

export interface AuditOptions {
  /** Version of marsgrad that audits. */
  readonly version: string;
  /** Ids in the order of the report. Default: the order in which they are done. */
  readonly order?: readonly string[];
  readonly onStart?: (check: Check) => void;
  readonly onResult?: (result: CheckResult) => void;
  readonly signal?: AbortSignal;
}

/** What is not there to be checked is skipped, and said; the verdict is of what was checked. */
export async function auditRun(
  context: AuditContext,
  checks: readonly Check[],
  { version, order, onStart, onResult, signal }: AuditOptions,
): Promise<AuditReport> {
  const startedAt = performance.now();
  const results: CheckResult[] = [];
  for (const check of checks) {
    signal?.throwIfAborted();
    onStart?.(check);
    const result = await resultOf(check, context);
    results.push(result);
    onResult?.(result);
  }
  if (order) results.sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id));
  return {
    format: 1,
    run: context.path,
    marsgrad: version,
    auditedAt: new Date().toISOString(),
    verdict: results.some(({ status }) => status === 'fail') ? 'fail' : 'pass',
    checks: results,
    facts: factsOf(context),
    seconds: (performance.now() - startedAt) / 1000,
  };
}

async function resultOf(check: Check, context: AuditContext): Promise<CheckResult> {
  const { id, title, question } = check;
  const startedAt = performance.now();
  const outcome = await check.run(context).catch((error: unknown): Outcome => {
    const message = error instanceof Error ? error.message : String(error);
    return {
      status: 'fail',
      summary: `The check ended with an error: ${message}`,
      findings: [{ status: 'fail', place: id, message }],
    };
  });
  // What was done in another process brings its own time along.
  return { id, title, question, seconds: (performance.now() - startedAt) / 1000, ...outcome };
}

function factsOf({ config, log, steps }: AuditContext): AuditedRun {
  const { settings, inputs, device, marsgrad, startedAt } = config;
  const summary = log.findLast(({ type }) => type === 'summary');
  const test = summary?.test as { readonly top1?: number } | undefined;
  return {
    network: settings.network,
    method: settings.regularization.method,
    dataset: inputs.dataset.name,
    classes: inputs.dataset.classes,
    device: { kind: device.kind, name: device.name },
    marsgrad,
    startedAt,
    epochs: settings.epochs,
    steps: summary ? Number(summary.steps) : null,
    recordedSteps: steps.map(({ step }) => step),
    accuracy: test?.top1 ?? null,
  };
}
