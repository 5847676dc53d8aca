/**
 * How exactly a method's strengths must be known (Gouk, Hospedales & Pontil, ICLR 2021, their code's sensitivity script): both radii, or both
 * coefficients, are multiplied by the same factor.
 */
import { type Sample, summarizeSample } from './statistics.ts';

/** The authors' eight, and 1: the values as they were found. */
export const SENSITIVITY_FACTORS: readonly number[] = [1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1e3, 1e4];

export interface SensitivityRun {
  readonly method: string;
  readonly factor: number;
  readonly seed: number;
  /** Share of the images that decide; null: the training diverged. */
  readonly accuracy: number | null;
}

export interface SensitivityPoint {
  readonly factor: number;
  readonly seeds: readonly number[];
  /** In the order of the seeds. */
  readonly accuracies: readonly (number | null)[];
  /** Of those that did not diverge; null where all did. */
  readonly sample: Sample | null;
}

export interface SensitivityCurve {
  readonly method: string;
  readonly points: readonly SensitivityPoint[];
}

/** A curve per method in the order of its first run, its points by factor. */
export function sensitivityCurves(runs: readonly SensitivityRun[]): SensitivityCurve[] {
  const methods = [...new Set(runs.map(({ method }) => method))];
  return methods.map((method) => {
    const own = runs.filter((run) => run.method === method);
    const factors = [...new Set(own.map(({ factor }) => factor))].sort((a, b) => a - b);
    return { method, points: factors.map((factor) => pointOf(factor, own)) };
  });
}

function pointOf(factor: number, runs: readonly SensitivityRun[]): SensitivityPoint {
  const own = runs.filter((run) => run.factor === factor).sort((a, b) => a.seed - b.seed);
  const finished = own.flatMap(({ accuracy }) => accuracy ?? []);
  return {
    factor,
    seeds: own.map(({ seed }) => seed),
    accuracies: own.map(({ accuracy }) => accuracy),
    sample: finished.length === 0 ? null : summarizeSample(finished),
  };
}

/** One line per run. */
export function sensitivityCsv(runs: readonly SensitivityRun[]): string {
  const lines = runs.map(({ method, factor, seed, accuracy }) => [method, factor, seed, accuracy ?? ''].join(','));
  return `${['method,factor,seed,accuracy', ...lines].join('\n')}\n`;
}
