/** What the checks that do recorded steps again have in common. */
import type { AuditContext } from '../context.ts';
import type { PageData } from '../pageData.ts';
import type { Finding, JsonValue } from '../verdict.ts';
import { replayStep, type StepReplay } from './replayStep.ts';

const replays = new WeakMap<AuditContext, Promise<StepReplay[]>>();

/** Of the chosen steps; done once for all checks. */
export function replaysOf(context: AuditContext): Promise<StepReplay[]> {
  const known = replays.get(context);
  if (known) return known;
  const made = (async () => {
    const done: StepReplay[] = [];
    for (const step of context.chosenSteps) {
      context.onMessage(`Step ${step.step} again, on ${context.replayOn} and in float64.`);
      done.push(await replayStep(context, step, context.replayOn));
    }
    return done;
  })();
  replays.set(context, made);
  return made;
}

export const NOTHING_RECORDED = 'No step of this run was recorded (--record), so none can be done again.';

export const asJson = (data: PageData): JsonValue => data as unknown as JsonValue;

export const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

export const failure = (place: string, message: string, value?: number, limit?: number): Finding => ({
  status: 'fail',
  place,
  message,
  ...(value !== undefined && Number.isFinite(value) && { value }),
  ...(limit !== undefined && { limit }),
});

/** `step 1`, `steps 1 and 240`. */
export function stepsInWords(steps: readonly number[]): string {
  if (steps.length === 1) return `step ${steps[0]}`;
  return `steps ${steps.slice(0, -1).join(', ')} and ${steps.at(-1)}`;
}
