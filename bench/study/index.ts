/**
 * npm run study -- OUT     what docs/results/study.md shows of the sweep in OUT: results.json, distances.svg, and its tables in Markdown
 *
 * OUT is made by `marsgrad sweep docs/results/study/study.json --out OUT`; parts that are not there yet are left out.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatSummary, summarizeRuns } from '../../src/experiments/index.ts';
import { readStudy } from '../../src/report/node/readStudy.ts';
import type { ReportRun, SearchFacts } from '../../src/report/runs.ts';
import { ROOT } from '../root.ts';
import { drawDistances, type Journey, NORMS } from './picture.ts';

const [out] = process.argv.slice(2);
if (!out) throw new Error('npm run study -- OUT: the folder of the sweep');
const target = join(ROOT, 'docs/results/study');
const read = (path: string) => readStudy([path], (runs) => runs.map(() => ({ task: '', method: '', settings: '' })));
const study = read(out);
const complete = study.runs.filter((run) => run.summary !== null);

/** The largest distance of any convolution or classifier after any epoch, in the norm that the method is about. */
function largestDistance({ distances, layers, config }: ReportRun, kinds: ReadonlyMap<string, string>): number {
  const norm = NORMS[config.settings.regularization.method] ?? 'mars';
  const own = new Map(layers?.map(({ layer, kind }) => [layer, kind]) ?? kinds);
  const values = distances.flatMap(({ layers: all }) =>
    all.filter(({ layer }) => own.get(layer) === 'conv2d').map((layer) => layer[norm]),
  );
  return Math.max(...values);
}

const kinds = new Map(complete[0]?.layers?.map(({ layer, kind }) => [layer, kind]) ?? []);

function journeyOf(run: ReportRun, task: string, method: string, isTrial: boolean): Journey {
  const { extractor } = run.config.settings.regularization;
  const worstRatio = Math.max(...run.epochs.map((epoch) => epoch.worstRatio ?? 0));
  return { task, method, isTrial, extractor, largest: largestDistance(run, kinds), worstRatio };
}

const trialFolder = ({ path }: SearchFacts, trial: number) => join(path, `trial-${String(trial).padStart(3, '0')}`);
const trials = study.searches.flatMap((search) =>
  search.trials
    .filter(({ status }) => status !== 'failed')
    .map(({ trial }) => trialFolder(search, trial))
    .filter((path) => existsSync(path))
    .flatMap((path) => read(path).runs.map((run) => journeyOf(run, search.task, search.method, true))),
);
const journeys = [...complete.map((run) => journeyOf(run, run.task, run.method, false)), ...trials];

/** How many runs of a penalty came to lie outside of the radius that was tuned for the constraint in the same norm. */
function exceedances() {
  const pairs = [
    ['l2-sp', 'l2-pgm'],
    ['mars-sp', 'mars-pgm'],
  ] as const;
  const tasks = [...new Set(complete.map(({ task }) => task))];
  return tasks.flatMap((task) =>
    pairs.map(([penalty, constraint]) => {
      const of = (method: string) =>
        journeys.filter((one) => !one.isTrial && one.task === task && one.method === method);
      const radius = of(constraint)[0]?.extractor ?? null;
      const largest = of(penalty).map((one) => one.largest);
      return {
        task,
        penalty,
        constraint,
        radius,
        largestOfPenalty: largest,
        outside: radius === null ? null : largest.filter((distance) => distance > radius).length,
        worstRatioOfConstraint: Math.max(0, ...of(constraint).map(({ worstRatio }) => worstRatio)),
      };
    }),
  );
}

const bestOf = ({ path, task, method, trials: all }: SearchFacts) => {
  const done = all.filter(({ status }) => status === 'done');
  const best = done.reduce((a, b) => (b.accuracy! > a.accuracy! ? b : a));
  const count = (status: string) => all.filter((trial) => trial.status === status).length;
  return {
    task,
    method,
    ...best,
    pruned: count('pruned'),
    failed: count('failed'),
    path: undefined,
    from: path.slice(out.length + 1),
  };
};

const tables = summarizeRuns(
  complete.map(({ task, method, config, summary }) => ({
    task,
    method,
    settings: '',
    seed: config.settings.seed,
    accuracy: summary!.test.top1,
  })),
);
const incomplete = study.runs.filter((run) => run.summary === null);
const results = {
  tables,
  tuned: study.searches.filter(({ trials: all }) => all.some(({ status }) => status === 'done')).map(bestOf),
  exceedances: exceedances(),
  seconds: complete.reduce((sum, run) => sum + run.summary!.seconds, 0),
  incomplete: incomplete.map(({ task, method, config }) => ({ task, method, seed: config.settings.seed })),
  journeys,
};
writeFileSync(join(target, 'results.json'), `${JSON.stringify(results, null, 1)}\n`);
writeFileSync(join(target, 'distances.svg'), `${drawDistances(journeys)}\n`);
process.stdout.write(
  `${formatSummary(tables, 'text')}\n\n${complete.length} runs, ${trials.length} trials; written to ${target}\n`,
);
