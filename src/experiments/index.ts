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
export { BOUNDS_GRID, type BoundsGrid, boundsCases } from './boundsGrid.ts';
export { StudyNetwork, type StudyNetworkOptions } from './boundsNetworks.ts';
export {
  BOUNDS_STUDY_SETTINGS,
  type BoundsCase,
  type BoundsRow,
  BoundsStudy,
  type BoundsStudySettings,
  STUDY_STARTS,
  type StudyImages,
  type StudyStart,
} from './boundsStudy.ts';
export { type BoundsGroup, type BoundsSummary, boundsCsv, type Growth, summarizeBounds } from './boundsSummary.ts';
export {
  SENSITIVITY_FACTORS,
  type SensitivityCurve,
  type SensitivityPoint,
  type SensitivityRun,
  sensitivityCurves,
} from './sensitivity.ts';
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
