/** What a float64 pass costs: the reference device computes some 10⁸ multiplications a second, whatever the machine's GPU can. */
import { kernels } from '../../kernels/index.ts';
import type { AuditContext, RecordedStep } from '../context.ts';

/** Floating-point operations that an audit spends on float64 passes without being asked to be thorough. */
const MOST_FLOPS = 2e10;

/** Of the forward pass of a recorded step. */
export function forwardFlops({ file }: RecordedStep): number {
  let flops = 0;
  for (const { phase, kernel, params, constants } of file.launches)
    if (phase === 'forward') flops += kernels.get(kernel)?.flops(params, constants) ?? 0;
  return flops;
}

/** Null, or why a float64 pass of the recorded steps is left out: a sentence. */
export function isAffordable({ chosenSteps: steps, thorough }: AuditContext): string | null {
  if (thorough) return null;
  const most = Math.max(...steps.map(forwardFlops));
  if (most <= MOST_FLOPS) return null;
  return `A forward pass of a recorded step takes ${(most / 1e9).toFixed(0)} GFLOP, which float64 would compute for minutes: ask for it with --thorough.`;
}
