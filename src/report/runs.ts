/** What a report knows of a training run: the contents of its folder, as far as they are shown. */
import type { LayerDistance } from '../regularizers/index.ts';
import type { EpochRecord, Evaluation, RunConfig, StepRecord } from '../train/index.ts';

/** A line of the log after an epoch. */
export type EpochFacts = Pick<EpochRecord, 'epoch' | 'loss' | 'accuracy' | 'learningRate' | 'worstRatio'> & {
  readonly validation: Evaluation | null;
};

/** A line of the log after a step. */
export type StepFacts = Pick<StepRecord, 'step' | 'epoch' | 'loss'>;

/** A line of the log after an epoch: how far the layers are. */
export interface DistanceFacts {
  readonly epoch: number;
  readonly layers: readonly { readonly layer: string; readonly mars: number; readonly frobenius: number }[];
}

export interface SummaryFacts {
  readonly steps: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly test: Evaluation;
  readonly worstRatio: number | null;
  readonly seconds: number;
  /** sha256 of the run's files, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** A run, complete or not. */
export interface ReportRun {
  /** As it was named or found. */
  readonly path: string;
  readonly config: RunConfig;
  /** The row of the table that the run belongs to: a table for each task. */
  readonly task: string;
  /** The task in words. */
  readonly conditions: string;
  readonly method: string;
  /** What tells the row apart beside its method; '' where the method does. */
  readonly settings: string;
  readonly epochs: readonly EpochFacts[];
  readonly steps: readonly StepFacts[];
  readonly distances: readonly DistanceFacts[];
  /** Null until the run is complete, like `layers`. */
  readonly summary: SummaryFacts | null;
  readonly layers: readonly LayerDistance[] | null;
  /** What both strengths were multiplied by, in a study of that; null elsewhere. */
  readonly factor: number | null;
}

/** The images that decided. */
export const imagesOf = (runs: readonly ReportRun[]): string =>
  runs.some(({ config }) => config.settings.evaluateOn === 'val') ? 'validation images' : 'test images';

export const seedOf = ({ config }: ReportRun): number => config.settings.seed;

/** A trial of a search: a line of `trials.ndjson`. */
export interface TrialFacts {
  readonly trial: number;
  readonly point: Readonly<Record<string, number | string | boolean>>;
  readonly status: string;
  /** On the validation images; null where the trial failed. */
  readonly accuracy: number | null;
}

/** A search for one method in one task. */
export interface SearchFacts {
  readonly path: string;
  readonly task: string;
  readonly method: string;
  readonly trials: readonly TrialFacts[];
}

/** All that a report is made of. */
export interface Study {
  /** What it is called; null: it is told from the runs. */
  readonly name: string | null;
  readonly runs: readonly ReportRun[];
  readonly searches: readonly SearchFacts[];
  /** The recipe of a sweep, as JSON; null where there is none. */
  readonly recipe: string | null;
}
