/** Every recorded step's update, recomputed from its gradient and state by the optimisers' published formulas, and the steps' chain. */
import type { AuditContext, Check, RecordedStep } from '../context.ts';
import { outcomeOf, skipped } from '../verdict.ts';
import { chained } from './chained.ts';
import { checkAverage, checkRadii } from './learnedLinks.ts';
import { clipFactor } from './math/updates.ts';
import { type ParameterStep, type RecomputedStep, recompute, worstElement } from './recomputedStep.ts';
import { brief, count, Findings } from './support.ts';

const OPTIMIZER_NAMES = { sgd: 'SGD', adam: 'Adam', adamw: 'AdamW' } as const;

export const update: Check = {
  id: 'update',
  title: 'Every update follows from its gradient',
  question:
    'Does the optimiser’s published formula, computed anew from the recorded gradient, give the recorded weights?',
  async run(context) {
    if (context.steps.length === 0) return skipped('No step was recorded.');
    const findings = new Findings();
    let worst = 0;
    const rows: (string | number)[][] = [];
    for (const step of context.steps) {
      const recomputed = await recompute(context, step);
      const own = checkStep(context, recomputed, findings);
      checkNorm(context, step, recomputed, findings);
      rows.push([step.step, recomputed.parameters.size, own]);
      worst = Math.max(worst, own);
    }
    const { name } = context.config.settings.optimizer;
    const summary = findings.failed
      ? `${count(findings.failed, 'result')} of the recorded updates cannot come from their gradients.`
      : `${OPTIMIZER_NAMES[name]}'s formula gives the weights and moments of ${count(context.steps.length, 'recorded step')}; the farthest element uses ${brief(100 * worst)} % of what float32 rounding allows.`;
    const columns = ['step', 'parameters', 'farthest element / allowed rounding'];
    return outcomeOf(summary, findings.list(), { tables: [{ title: 'Updates recomputed', columns, rows }] });
  },
};

/** Returns the largest distance of an element, as a share of what it may be. */
function checkStep(context: AuditContext, recomputed: RecomputedStep, findings: Findings): number {
  const { step } = recomputed;
  const expected = chained(context, recomputed);
  let most = 0;
  for (const [name, parameter] of recomputed.parameters) {
    const { index, excess } = worstElement(parameter.after, expected.get(name)!);
    if (excess > 1) failElement(step, name, index, parameter.after[index]!, expected.get(name)!, findings);
    most = Math.max(most, excess);
    if (parameter.trains) most = Math.max(most, checkMoments(step, parameter, findings));
  }
  checkRadii(context, recomputed, findings);
  checkAverage(context, recomputed, findings);
  return most;
}

function failElement(
  step: RecordedStep,
  name: string,
  index: number,
  value: number,
  { values, bound }: { readonly values: Float64Array; readonly bound: Float64Array },
  findings: Findings,
): void {
  const shape = step.after.model.get(name)?.shape ?? [values.length];
  const rows = shape.length > 1 ? `, row ${Math.floor(index / (values.length / shape[0]!))}` : '';
  findings.fail(
    `step ${step.step}, ${name}${rows}, element ${index}`,
    `holds ${value}; the update gives ${values[index]}, give or take ${brief(bound[index]!)}`,
    { value, limit: values[index]! },
  );
}

function checkMoments(
  step: RecordedStep,
  { name, update: own, momentsAfter }: ParameterStep,
  findings: Findings,
): number {
  let most = 0;
  for (const [moment, expected] of Object.entries(own.moments)) {
    const got = momentsAfter[moment];
    if (!got) {
      findings.fail(`step ${step.step}, ${name}`, `no ${moment} was recorded after the step`);
      continue;
    }
    const { index, excess } = worstElement(got, expected);
    if (excess > 1)
      findings.fail(
        `step ${step.step}, ${moment} of ${name}, element ${index}`,
        `is ${got[index]}; the formula gives ${expected.values[index]}, give or take ${brief(expected.bound[index]!)}`,
        { value: got[index]!, limit: expected.values[index]! },
      );
    most = Math.max(most, excess);
  }
  return most;
}

/** Where the norm of the gradient was measured: it is that of the recorded gradient, clipped or not. */
function checkNorm(
  context: AuditContext,
  step: RecordedStep,
  { parameters }: RecomputedStep,
  findings: Findings,
): void {
  const { gradNorm } = step.file.metrics;
  if (gradNorm === null) return;
  let squares = 0;
  for (const { gradient } of parameters.values())
    for (let i = 0; i < gradient.length; i++) squares += gradient[i]! ** 2;
  const norm = Math.sqrt(squares);
  const expected = gradNorm * clipFactor(gradNorm, context.config.settings.optimizer.clipGradNorm);
  if (Math.abs(norm - expected) <= 1e-5 * expected) return;
  findings.fail(`step ${step.step}`, `the gradient's norm is ${norm}; the log's ${gradNorm}, clipped, is ${expected}`, {
    value: norm,
    limit: expected,
  });
}
