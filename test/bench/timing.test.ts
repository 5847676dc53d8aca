import { describe, expect, it } from 'vitest';
import { type Subject, sampleInTurns } from '../../bench/timing.ts';

/** Takes `seconds` a repetition on a clock of its own, and `extra` more the first time. */
function subject(name: string, seconds: number, log: string[], extra = 0): Subject {
  let first = true;
  return {
    name,
    async run(repetitions) {
      log.push(`${name}×${repetitions}`);
      const total = repetitions * seconds + (first ? extra : 0);
      first = false;
      return total;
    },
  };
}

describe('sampleInTurns', () => {
  it('repeats short work until a sample is long enough, and long work once', async () => {
    const log: string[] = [];
    const subjects = [subject('short', 0.001, log), subject('long', 2, log)];
    const [short, long] = await sampleInTurns(subjects, { rounds: 3, sampleSeconds: 0.05, warmUpSeconds: 0 });
    for (const seconds of short!) expect(seconds).toBeCloseTo(0.001, 9);
    expect(long).toEqual([2, 2, 2]);
    const sampled = log.slice(-6);
    const shortRepetitions = Number(sampled[0]!.split('×')[1]);
    expect(shortRepetitions * 0.001).toBeGreaterThanOrEqual(0.05);
    expect(sampled.filter((entry) => entry.startsWith('long'))).toEqual(['long×1', 'long×1', 'long×1']);
    // Two seconds of work need no second warm-up.
    expect(log.filter((entry) => entry === 'long×1')).toHaveLength(4);
  });

  it('lets the subjects take turns, and reverses every second round', async () => {
    const log: string[] = [];
    await sampleInTurns([subject('a', 1, log), subject('b', 1, log)], {
      rounds: 4,
      sampleSeconds: 0.5,
      warmUpSeconds: 0,
    });
    expect(
      log
        .slice(-8)
        .map((entry) => entry[0])
        .join(''),
    ).toBe('abbaabba');
  });

  it('keeps the first run, which compiles, out of the samples and of the calibration', async () => {
    const log: string[] = [];
    const [samples] = await sampleInTurns([subject('a', 0.01, log, 0.5)], {
      rounds: 3,
      sampleSeconds: 0.04,
      warmUpSeconds: 0,
    });
    for (const seconds of samples!) expect(seconds).toBeCloseTo(0.01, 9);
    expect(Number(log.at(-1)!.split('×')[1])).toBeGreaterThanOrEqual(4);
  });

  it('warms up before the first sample', async () => {
    const log: string[] = [];
    await sampleInTurns([subject('a', 0.1, log)], { rounds: 3, sampleSeconds: 0.05, warmUpSeconds: 0.95 });
    expect(log).toHaveLength(10 + 3);
  });
});
