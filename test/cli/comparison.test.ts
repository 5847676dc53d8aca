import { describe, expect, it } from 'vitest';
import { describeComparison } from '../../src/cli/comparison.ts';
import type { TrainingResult } from '../../src/cli/trainingRun.ts';

/** Only what the description reads. */
function result(method: 'none' | 'mars-pgm', top1: number, trainAccuracy: number): TrainingResult {
  const radius = method === 'none' ? null : 0.3;
  return {
    config: {
      settings: { regularization: { method }, optimizer: { learningRate: 0.01 }, labelNoise: 0.4 },
      inputs: { dataset: { testImages: 5000, classes: ['deer', 'ship'] } },
    },
    summary: {
      run: `runs/demo/${method}`,
      trainAccuracy,
      test: { images: 5000, top1, top5: 1, loss: 0.5 },
      worstRatio: radius && 1,
      seconds: 61,
    },
    distances: [
      {
        layer: 'conv1',
        kind: 'conv2d',
        isHead: false,
        rows: 16,
        mars: radius ?? 2.5,
        frobenius: 1,
        radius,
        rowsAtBound: radius ? 7 : 0,
      },
    ],
  } as unknown as TrainingResult;
}

describe('describeComparison', () => {
  it('shows accuracies, and distances with the rows at the bound', () => {
    const text = describeComparison(result('none', 0.6, 0.9), result('mars-pgm', 0.71, 0.65));
    expect(text).toMatch(/^none +0\.01 +90\.00 % +60\.00 % +0\.5000 +61$/m);
    expect(text).toMatch(/^mars-pgm +0\.01 +65\.00 % +71\.00 % +0\.5000 +1\.000000 +61$/m);
    expect(text).toMatch(/^conv1 +conv2d +2\.500 +0\.300 +0\.3 +7\/16$/m);
    expect(text).toContain('5000 clean images of deer, ship');
  });

  it('claims a gain only where there is one', () => {
    const gain = describeComparison(result('none', 0.6, 0.9), result('mars-pgm', 0.71, 0.65));
    expect(gain).toContain('the network gains 11.0 points of test accuracy');
    const loss = describeComparison(result('none', 0.6, 0.9), result('mars-pgm', 0.58, 0.65));
    expect(loss).toContain('does not gain here (-2.0 points of test accuracy)');
    for (const text of [gain, loss]) expect(text).toContain('What it does not show: anything about clean labels');
  });
});
