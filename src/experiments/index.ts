/** Experiments: what runs many trainings. */
export { AUTHORS_SPACES, type Dimension, type Point, type SearchSpace } from './space.ts';
export { type PairedTest, pairedTest, type Sample, summarizeSample } from './statistics.ts';
export {
  formatSummary,
  type RunFacts,
  type RunsRow,
  type SummaryTable,
  summarizeRuns,
  TABLE_FORMATS,
  type TableFormat,
} from './summary.ts';
export {
  type MinimizeOptions,
  minimize,
  type SearchResult,
  suggest,
  suggestAtRandom,
  type TpeOptions,
  type Trial,
} from './tpe.ts';
