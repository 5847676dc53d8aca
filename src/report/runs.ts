/** What a report knows of a training run: the contents of its folder, as far as they are shown. */
import type { LayerDistance } from '../regularizers/index.ts';

/** Of `config.json`. */
export interface RunConfigFacts {
  readonly marsgrad: string;
  readonly node: string;
  readonly startedAt: string;
  readonly settings: RunSettings;
  readonly device: { readonly kind: string; readonly name: string };
  readonly inputs: {
    readonly weights: { readonly path: string; readonly sha256: string } | null;
    readonly dataset: {
      readonly name: string;
      readonly description: string;
      readonly contentDigest: string;
      readonly classes: readonly string[];
      readonly trainImages: number;
      readonly testImages: number;
      readonly validationImages: number;
    };
  };
}

/** The settings that a report speaks of; the others are shown as they stand. */
export interface RunSettings {
  readonly command: string;
  readonly network: string;
  readonly dataset: string;
  readonly epochs: number;
  readonly seed: number;
  readonly labelNoise: number;
  readonly trainPerClass: number | null;
  readonly evaluateOn: 'test' | 'val';
  readonly optimizer: { readonly name: string; readonly learningRate: number };
  readonly regularization: {
    readonly method: string;
    readonly extractor: number | null;
    readonly classifier: number | null;
    readonly relative: boolean;
    readonly depthFactor: number;
  };
}

export interface EvaluationFacts {
  readonly images: number;
  /** 0 … 1. */
  readonly top1: number;
  readonly loss: number;
}

/** A line of the log after an epoch. */
export interface EpochFacts {
  readonly epoch: number;
  readonly loss: number;
  /** On the labels that were trained on, 0 … 1. */
  readonly accuracy: number;
  readonly learningRate: number;
  readonly worstRatio: number | null;
  readonly validation: EvaluationFacts | null;
}

/** A line of the log after a step. */
export interface StepFacts {
  readonly step: number;
  readonly epoch: number;
  readonly loss: number;
}

export interface DistanceFacts {
  readonly epoch: number;
  readonly layers: readonly { readonly layer: string; readonly mars: number; readonly frobenius: number }[];
}

export interface SummaryFacts {
  readonly steps: number;
  readonly trainLoss: number;
  readonly trainAccuracy: number;
  readonly test: EvaluationFacts;
  readonly worstRatio: number | null;
  readonly seconds: number;
  /** sha256 of the run's files, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** A run, complete or not. */
export interface ReportRun {
  /** As it was named or found. */
  readonly path: string;
  readonly config: RunConfigFacts;
  /** The row of the table that the run belongs to: a table for each task. */
  readonly task: string;
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

/** Logits of a run's deciding images, in the data set's order. */
export interface PredictionFacts {
  /** (N, classes) */
  readonly logits: Float32Array;
  /** (N) */
  readonly labels: Int32Array;
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
