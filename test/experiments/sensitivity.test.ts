import { expect, test } from 'vitest';
import { SENSITIVITY_FACTORS, sensitivityCsv, sensitivityCurves } from '../../src/experiments/sensitivity.ts';
import { drawSensitivity } from '../../src/report/node/sensitivityPicture.ts';

const runs = [
  { method: 'l2-sp', factor: 10, seed: 1, accuracy: 0.5 },
  { method: 'l2-sp', factor: 10, seed: 0, accuracy: 0.7 },
  { method: 'l2-sp', factor: 1, seed: 0, accuracy: 0.9 },
  { method: 'l2-sp', factor: 1, seed: 1, accuracy: null },
  { method: 'mars-pgm', factor: 1, seed: 0, accuracy: null },
];

test("the factors are the paper's eight and 1", () => {
  expect(SENSITIVITY_FACTORS).toEqual([-4, -3, -2, -1, 0, 1, 2, 3, 4].map((exponent) => Number(`1e${exponent}`)));
});

test('curves go by factor, points by seed; diverged runs are shown and left out of the mean', () => {
  const [l2, mars] = sensitivityCurves(runs);
  expect(l2!.points.map(({ factor, accuracies }) => [factor, accuracies])).toEqual([
    [1, [0.9, null]],
    [10, [0.7, 0.5]],
  ]);
  expect(l2!.points[0]!.sample).toMatchObject({ count: 1, mean: 0.9 });
  expect(l2!.points[1]!.sample!.mean).toBeCloseTo(0.6, 12);
  expect(mars!.points[0]!.sample).toBeNull();
  expect(sensitivityCsv(runs)).toContain('\nl2-sp,1,1,\n');
});

test('the picture has a panel per kind, and is the same when it is drawn again', () => {
  const curves = sensitivityCurves(runs);
  const kindOf = (method: string) => (method === 'l2-sp' ? 'penalties' : 'constraints');
  const svg = drawSensitivity(curves, kindOf);
  expect(svg.match(/<svg /g)).toHaveLength(3);
  expect(svg).toContain('10¹');
  expect(drawSensitivity(curves, kindOf)).toBe(svg);
});
