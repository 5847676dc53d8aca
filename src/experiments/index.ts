/** Experiments: what runs many trainings. */
export {
  RECIPE_METHODS,
  RECIPE_NETWORKS,
  RECIPE_TITLES,
  RECIPES,
  type RecipeDataset,
  type RecipeMethod,
  type RecipeNetwork,
  remarkOn,
  STATED_ACCURACIES,
  type Strengths,
} from './authorsRecipes.ts';
export { AUTHORS_SPACES, type Dimension, type Point, type SearchSpace } from './space.ts';
export { type PairedTest, pairedTest, type Sample, summarizeSample } from './statistics.ts';
export {
  formatSummary,
  type RunFacts,
  type RunsRow,
  SUMMARY_HEADER,
  type SummaryTable,
  summarizeRuns,
  summaryCells,
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
