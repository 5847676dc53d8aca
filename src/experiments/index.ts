/** Experiments: what runs many trainings. */
export { AUTHORS_SPACES, type Dimension, type Point, type SearchSpace } from './space.ts';
export {
  type MinimizeOptions,
  minimize,
  type SearchResult,
  suggest,
  suggestAtRandom,
  type TpeOptions,
  type Trial,
} from './tpe.ts';
