/** Learning-rate schedules: plain functions from the step (0, 1, 2, …) to the learning rate of that step. */
export type Schedule = (step: number) => number;

export const constant =
  (learningRate: number): Schedule =>
  () =>
    learningRate;

/** initial·factor^⌊step/every⌋. */
export function stepDecay({ initial, every, factor }: { initial: number; every: number; factor: number }): Schedule {
  if (!(every >= 1)) throw new RangeError(`stepDecay: every ${every} steps; it must be ≥ 1`);
  return (step) => initial * factor ** Math.floor(step / every);
}

/** Half a cosine from `initial` at step 0 to `final` at step `total` (Loshchilov & Hutter 2017, without restarts). */
export function cosine({ initial, final = 0, total }: { initial: number; final?: number; total: number }): Schedule {
  if (!(total >= 1)) throw new RangeError(`cosine: ${total} steps in total; it must be ≥ 1`);
  return (step) => anneal(initial, final, Math.min(1, step / total));
}

export interface OneCycleOptions {
  readonly peak: number;
  readonly total: number;
  /** Share of the steps spent rising. */
  readonly riseFraction?: number;
  /** The first learning rate is peak/startDivisor. */
  readonly startDivisor?: number;
  /** The last learning rate is peak/startDivisor/endDivisor. */
  readonly endDivisor?: number;
}

/** Smith & Topin 2018: the learning rate of torch.optim.lr_scheduler.OneCycleLR by default (which cycles momentum too; this does not). */
export function oneCycle({
  peak,
  total,
  riseFraction = 0.3,
  startDivisor = 25,
  endDivisor = 1e4,
}: OneCycleOptions): Schedule {
  if (!(total >= 2)) throw new RangeError(`oneCycle: ${total} steps in total; it must be ≥ 2`);
  const start = peak / startDivisor;
  const top = riseFraction * total - 1;
  return (step) =>
    step <= top
      ? anneal(start, peak, top > 0 ? step / top : 1)
      : anneal(peak, start / endDivisor, Math.min(1, (step - top) / (total - 1 - top)));
}

/** Rises linearly over the first `steps` steps to what `schedule` gives, which then goes on from its own step 0. */
export function withWarmup(schedule: Schedule, steps: number): Schedule {
  return (step) => (step < steps ? (schedule(0) * (step + 1)) / (steps + 1) : schedule(step - steps));
}

const anneal = (from: number, to: number, progress: number): number =>
  to + ((from - to) * (1 + Math.cos(Math.PI * progress))) / 2;
