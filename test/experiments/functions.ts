/** Standard test functions, with their spaces and least values. */
import { AUTHORS_SPACES, type Point, type SearchSpace } from '../../src/experiments/index.ts';

export interface TestFunction<S extends SearchSpace> {
  readonly space: S;
  readonly least: number;
  readonly of: (point: Point<S>) => number;
}

const define = <const S extends SearchSpace>(
  space: S,
  least: number,
  of: (point: Point<S>) => number,
): TestFunction<S> => ({
  space,
  least,
  of,
});
const uniform = (low: number, high: number) => ({ kind: 'uniform', low, high }) as const;

/** (x − 3)². */
export const quadratic = define({ x: uniform(-5, 5) }, 0, ({ x }) => (x - 3) ** 2);

/** A wide slope to the right of height 1, and a narrow peak of height 2 at −10 (hyperopt's `distractor`). */
export const distractor = define(
  { x: uniform(-15, 15) },
  -2.000045398,
  ({ x }) => -1 / (1 + Math.exp(-x)) - 2 * Math.exp(-((x + 10) ** 2)),
);

/** Branin & Hoo 1972: three equal minima. */
export const branin = define(
  { x: uniform(-5, 10), y: uniform(0, 15) },
  0.39788735772973816,
  ({ x, y }) =>
    (y - (5.1 / (4 * Math.PI ** 2)) * x * x + (5 / Math.PI) * x - 6) ** 2 +
    10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) +
    10,
);

const HARTMANN_A = [
  [10, 3, 17, 3.5, 1.7, 8],
  [0.05, 10, 17, 0.1, 8, 14],
  [3, 3.5, 1.7, 10, 17, 8],
  [17, 8, 0.05, 10, 0.1, 14],
];
const HARTMANN_P = [
  [1312, 1696, 5569, 124, 8283, 5886],
  [2329, 4135, 8307, 3736, 1004, 9991],
  [2348, 1451, 3522, 2883, 3047, 6650],
  [4047, 8828, 8732, 5743, 1091, 381],
];
const HARTMANN_WEIGHTS = [1, 1.2, 3, 3.2];
const unit = uniform(0, 1);

/** Hartmann's function of six variables. */
export const hartmann6 = define(
  { a: unit, b: unit, c: unit, d: unit, e: unit, f: unit },
  -3.32236801141551,
  (point) => {
    const values = [point.a, point.b, point.c, point.d, point.e, point.f];
    const term = (i: number) =>
      values.reduce((sum, value, j) => sum + HARTMANN_A[i]![j]! * (value - HARTMANN_P[i]![j]! / 10_000) ** 2, 0);
    return -HARTMANN_WEIGHTS.reduce((sum, weight, i) => sum + weight * Math.exp(-term(i)), 0);
  },
);

/** How a loss may depend on two radii, epochs and an optimiser: 0 at (5, 12, 30, adam). */
export const radii = define(
  {
    ...AUTHORS_SPACES.radius,
    epochs: { kind: 'quantizedUniform', low: 5, high: 50, step: 5 },
    optimizer: { kind: 'choice', options: ['sgd', 'adam', 'adamw'] },
  },
  0,
  ({ extractor, classifier, epochs, optimizer }) =>
    Math.log(extractor / 5) ** 2 +
    0.5 * Math.log(classifier / 12) ** 2 +
    ((epochs - 30) / 50) ** 2 +
    (optimizer === 'adam' ? 0 : 0.3),
);
