/** Timing: warm up, find out how often to repeat, then take samples of all subjects in turn. */

/** Something to time. */
export interface Subject {
  readonly name: string;
  /** Does its work `repetitions` times, waits until it is really done, and returns the seconds of all of it. */
  run(repetitions: number): Promise<number>;
}

export interface Sampling {
  /** Samples of each subject. */
  readonly rounds: number;
  /** A sample repeats the work until it takes at least this long (a single repetition may take longer). */
  readonly sampleSeconds: number;
  /** What a subject runs at least before its first sample: JavaScript engines swap in their optimised code meanwhile. */
  readonly warmUpSeconds: number;
}

/** 0.3 s of each subject at least. */
export const FULL: Sampling = { rounds: 7, sampleSeconds: 0.045, warmUpSeconds: 0.15 };
export const QUICK: Sampling = { rounds: 3, sampleSeconds: 0.02, warmUpSeconds: 0.05 };

const MAX_REPETITIONS = 4096;
/** A first run compiles; it says nothing of the time that later ones take, unless they are this long themselves. */
const LONG_SECONDS = 1;

/** A subject of synchronous launches on a device that is waited for at the end. */
export function timed(name: string, work: () => void, wait: () => Promise<void>): Subject {
  return {
    name,
    async run(repetitions) {
      await wait();
      const begin = performance.now();
      for (let i = 0; i < repetitions; i++) work();
      await wait();
      return (performance.now() - begin) / 1000;
    },
  };
}

/** Warms the subject up and returns the number of repetitions that make a sample long enough. */
async function calibrate(subject: Subject, { sampleSeconds, warmUpSeconds }: Sampling): Promise<number> {
  let repetitions = 1;
  let seconds = await subject.run(1);
  let warm = seconds;
  if (seconds < Math.max(LONG_SECONDS, sampleSeconds)) warm += seconds = await subject.run(1);
  while ((seconds < sampleSeconds && repetitions < MAX_REPETITIONS) || warm < warmUpSeconds) {
    if (seconds < sampleSeconds) {
      const wanted = Math.ceil((1.2 * sampleSeconds * repetitions) / Math.max(seconds, 1e-6));
      repetitions = Math.min(MAX_REPETITIONS, Math.max(repetitions + 1, Math.min(wanted, 8 * repetitions)));
    }
    seconds = await subject.run(repetitions);
    warm += seconds;
  }
  return repetitions;
}

/**
 * Seconds of one repetition, for every subject and round. Subjects take turns within a round, and every second round runs
 * backwards, so that none always goes first.
 */
export async function sampleInTurns(subjects: readonly Subject[], sampling: Sampling): Promise<number[][]> {
  const { rounds } = sampling;
  const repetitions: number[] = [];
  for (const subject of subjects) repetitions.push(await calibrate(subject, sampling));
  const samples = subjects.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    const order = subjects.map((_, i) => (round % 2 === 0 ? i : subjects.length - 1 - i));
    for (const i of order) samples[i]!.push((await subjects[i]!.run(repetitions[i]!)) / repetitions[i]!);
  }
  return samples;
}
