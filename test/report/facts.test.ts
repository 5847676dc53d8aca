/** What a report says of runs, on runs made up for the purpose. */
import { describe, expect, it } from 'vitest';
import { bandOf, tasksOf, thinned } from '../../src/report/aggregate.ts';
import { radiiOf, spreadsOf } from '../../src/report/layers.ts';
import { confusionOf, mostConfidentlyWrong } from '../../src/report/predictions.ts';
import type { ReportRun, Study } from '../../src/report/runs.ts';
import { verdictOf, wilson } from '../../src/report/verdict.ts';

function run(method: string, seed: number, accuracy: number | null, more: Partial<ReportRun> = {}): ReportRun {
  const summary = accuracy !== null && {
    steps: 1,
    trainLoss: 1,
    trainAccuracy: 1,
    test: { images: 5000, top1: accuracy, top5: 1, loss: 1 },
    worstRatio: null,
    seconds: 1,
    files: {},
  };
  return {
    path: `${method}-${seed}`,
    config: { settings: { seed, regularization: { method } } } as unknown as ReportRun['config'],
    task: 'photos',
    conditions: 'photos of things',
    method,
    settings: '',
    epochs: [],
    steps: [],
    distances: [],
    summary: summary || null,
    layers: null,
    factor: null,
    ...more,
  };
}
const study = (runs: readonly ReportRun[], searches: Study['searches'] = []): Study => ({
  name: null,
  runs,
  searches,
  recipe: null,
});
const verdict = (...runs: ReportRun[]) => verdictOf(study(runs), tasksOf(study(runs)));

/** The main job's accuracies (docs/results/main-job.md). */
const free = [70.98, 72.26, 68.02, 71.56, 70.36].map((value, seed) => run('none', seed, value / 100));
const held = [73.86, 73.38, 71.32, 71.8, 72.32].map((value, seed) => run('mars-pgm', seed, value / 100));

describe('the verdict', () => {
  it('names the best, its interval, its lead on the same seeds and what chance says', () => {
    const { headline, sentences } = verdict(...held, ...free);
    expect(headline).toBe(
      'mars-pgm comes out best of 2, with 72.5 ± 1.1 % over 5 seeds (95 % interval 71.2 % to 73.9 %).',
    );
    expect(sentences[0]).toMatch(
      /^On the same 5 seeds it is 1\.9 points above none \(95 % interval \+0\.3 to \+3\.5; paired t-test, p = 0\.02\d\)\. Chance alone is an unlikely/,
    );
  });

  it('counts the comparisons: what one would show, the best of many does not', () => {
    const others = ['l2-sp', 'mars-sp', 'delta'].flatMap((method) =>
      free.map((one, seed) => run(method, seed, one.summary!.test.top1)),
    );
    const { sentences } = verdict(...held, ...free, ...others);
    expect(sentences[0]).toContain('when the 4 comparisons are counted');
    expect(sentences[0]).toContain('for the best of several it is not');
  });

  it('says so where the free run wins, where there is one seed, one run, none', () => {
    expect(
      verdict(run('none', 0, 0.9), run('none', 1, 0.8), run('ftp', 0, 0.7), run('ftp', 1, 0.75)).sentences[0],
    ).toMatch(/^No other method is ahead of it; next is ftp with .* −12\.5 points/);
    expect(verdict(run('none', 0, 0.7), run('ftp', 0, 0.8)).sentences[0]).toContain(
      'nothing says how much of that is chance',
    );
    expect(verdict(run('ftp', 0, 0.8)).sentences[0]).toContain('78.9 % to 81.1 %');
    expect(verdict(run('ftp', 0, null)).headline).toBe('No run is complete yet: there is no result.');
  });

  it('says how far a single run has come', () => {
    const epochs = [{ epoch: 3, loss: 1.5, accuracy: 0.25, learningRate: 1, worstRatio: null, validation: null }];
    const config = {
      settings: { seed: 0, epochs: 9, regularization: { method: 'ftp' } },
    } as unknown as ReportRun['config'];
    expect(verdict(run('ftp', 0, null, { epochs, config })).headline).toBe(
      'ftp is at epoch 3 of 9: training loss 1.500, 25.0 % of the labels it trains on.',
    );
  });

  it('counts the tasks that each method is best in', () => {
    const other = [run('none', 0, 0.5, { task: 'leaves' }), run('ftp', 0, 0.4, { task: 'leaves' })];
    const { headline, tasks } = verdict(...held, ...free, ...other);
    expect(headline).toBe('Highest mean accuracy, over 2 tasks: mars-pgm in 1 and none in 1.');
    expect(tasks!.map(({ name }) => name)).toEqual(['photos', 'leaves']);
    expect(tasks![0]!.text).toMatch(/^mars-pgm comes out best of 2.* above none/);
  });

  it('counts the factors that do nearly as well as the best, in a study of sensitivity', () => {
    const at = (factor: number, accuracy: number) => run('ftp', 0, accuracy, { factor });
    expect(verdict(at(0.1, 0.79), at(1, 0.8), at(10, 0.5)).headline).toBe(
      'Within 2 points of its best: ftp at 2 of 3 factors.',
    );
  });

  it('names the best trial of a search that has come to its end', () => {
    const trial = (n: number, accuracy: number | null, status = 'done') => ({
      trial: n,
      point: { lr: n / 100 },
      status,
      accuracy,
    });
    const trials = [trial(1, 0.5), trial(2, 0.7), trial(3, 0.9, 'pruned'), trial(4, null, 'failed')];
    const own = study([], [{ path: 'tune', task: 'tuning', method: 'ftp', trials }]);
    expect(verdictOf(own, tasksOf(own)).headline).toBe(
      'Best on the validation images: ftp 70.0 % at lr 0.02 (trial 2 of 4).',
    );
  });

  it("has Wilson's interval", () => {
    // R: prop.test(8, 10, correct = FALSE)
    const [low, high] = wilson(0.8, 10);
    expect(low).toBeCloseTo(0.4901625, 6);
    expect(high).toBeCloseTo(0.9433178, 6);
  });
});

describe('tasks and series', () => {
  it('keep the order of the table, put incomplete runs into their row, and leave sensitivity runs out', () => {
    const [task] = tasksOf(study([...held, ...free, run('none', 9, null), run('mars-pgm', 0, 0.1, { factor: 10 })]));
    expect(task!.series.map(({ title, runs }) => [title, runs.length])).toEqual([
      ['none', 6],
      ['mars-pgm', 5],
    ]);
    expect(task!.series[1]!.row!.count).toBe(5);
  });

  it('tell rows of one method apart by their settings', () => {
    const [task] = tasksOf(
      study([run('none', 0, 0.5, { settings: 'lr 1' }), run('none', 0, 0.6, { settings: 'lr 2' })]),
    );
    expect(task!.series.map(({ title }) => title)).toEqual(['none, lr 1', 'none, lr 2']);
  });

  it('have bands over those seeds that got so far', () => {
    const at = (...ys: number[]) => ys.map((y, i) => ({ x: i + 1, y }));
    expect(bandOf([at(1, 4), at(3)])).toEqual([
      { x: 1, mean: 2, low: 1, high: 3, count: 2 },
      { x: 2, mean: 4, low: 4, high: 4, count: 1 },
    ]);
    expect(thinned([0, 1, 2, 3, 4, 5, 6], 3)).toEqual([0, 3, 6]);
  });
});

describe('who leaves the ball', () => {
  const layer = (mars: number, radius: number | null, name = 'conv1') =>
    ({
      layer: name,
      kind: 'conv2d',
      isHead: name === 'fc',
      rows: 4,
      mars,
      frobenius: mars / 2,
      radius,
      ratio: null,
      rowsAtBound: 0,
    }) as const;
  const runs = [
    run('none', 0, 0.5, { layers: [layer(2, null), layer(1, null, 'fc')] }),
    run('mars-pgm', 0, 0.5, { layers: [layer(1.00001, 1), layer(0, 4, 'fc')] }),
  ];
  const [task] = tasksOf(study(runs));

  it('is measured by the radii of the method that has some', () => {
    const radii = radiiOf(task!, 'mars');
    expect(radii!.levels).toEqual([
      { value: 1, layers: 1 },
      { value: 4, layers: 1 },
    ]);
    expect(spreadsOf(task!, 'mars', radii).map(({ values, outside, still }) => [values, outside, still])).toEqual([
      [[2, 0.25], 1, 0],
      [[1.00001], 0, 1],
    ]);
    expect(radiiOf(task!, 'frobenius')).toBeNull();
  });
});

describe('predictions', () => {
  const logits = Float32Array.from([5, 0, 0, /**/ 0, 9, 0, /**/ 0, 0, 1, /**/ 0, 2, 0]);
  const one = { logits, labels: Int32Array.from([0, 0, 1, 1]) };

  it('are counted by label and answer', () => {
    expect(confusionOf(['a', 'b', 'c'], [one, one])).toMatchObject({ counts: [2, 2, 0, 0, 2, 2, 0, 0, 0], runs: 2 });
  });

  it('that are wrong come by their probability, the mean over the seeds', () => {
    const wrong = mostConfidentlyWrong([one], 10);
    expect(wrong.map(({ index, label, answer }) => [index, label, answer])).toEqual([
      [1, 0, 1],
      [2, 1, 2],
    ]);
    expect(wrong[1]!.probability).toBeCloseTo(Math.E / (Math.E + 2), 6);
    // A seed that is right about image 1, and surer, outweighs one that is wrong.
    const right = { ...one, logits: Float32Array.from(logits, (value, i) => (i === 3 ? 90 : value)) };
    expect(mostConfidentlyWrong([one, right, right], 1).map(({ index }) => index)).toEqual([2]);
  });
});
