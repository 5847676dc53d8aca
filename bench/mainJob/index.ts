/**
 * npm run main-job -- grid     the main job at every learning rate of one grid, both methods, judged on validation images
 * npm run main-job -- seeds    the main job at the chosen rates over five seeds; writes docs/results/main-job.{json,svg}
 *
 * Runs that are complete are not repeated: a stopped command goes on where it was.
 */
import '../../src/devices/node.ts';
import '../../src/ops/methods.ts';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { MAIN_JOB_METHODS, mainJob } from '../../src/cli/mainJob.ts';
import { Output } from '../../src/cli/output.ts';
import type { RunConfig } from '../../src/cli/runFolder.ts';
import type { TrainingSettings } from '../../src/cli/settings.ts';
import { startRun, type TrainingSummary } from '../../src/cli/trainingRun.ts';
import type { LayerDistance } from '../../src/regularizers/index.ts';
import { ROOT } from '../root.ts';
import { drawMainJob } from './picture.ts';

const RATES = [0.001, 0.003, 0.01, 0.03];
/** Not those of the results below. */
const GRID_SEEDS = [100, 101];
const SEEDS = [0, 1, 2, 3, 4];
/** Of the training images that the run does not use, all with clean labels: 500 of each class. */
const VALIDATION = 0.1;

type Record = { readonly type: string; readonly validation?: { readonly top1: number } | null };

async function run(settings: TrainingSettings, name: string): Promise<string> {
  const out = join(ROOT, 'runs', 'main-job', name);
  if (existsSync(join(out, 'weights.safetensors'))) {
    const { settings: before } = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as RunConfig;
    if (isDeepStrictEqual(before, JSON.parse(JSON.stringify(settings)))) return out;
    throw new Error(`${out} is of a run with other settings: remove it`);
  }
  rmSync(out, { recursive: true, force: true });
  await startRun({ settings, device: {}, out, output: new Output(false), signal: new AbortController().signal });
  return out;
}

function logOf(folder: string): Record[] {
  const lines = readFileSync(join(folder, 'log.ndjson'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Record);
}

async function grid(): Promise<void> {
  for (const method of MAIN_JOB_METHODS) {
    for (const learningRate of RATES) {
      const accuracies: number[] = [];
      for (const seed of GRID_SEEDS) {
        const job = mainJob(method, seed, learningRate);
        const settings = { ...job, validation: VALIDATION, evaluateEvery: job.epochs };
        const folder = await run(settings, `grid/${method}-${learningRate}-${seed}`);
        const last = logOf(folder).findLast(({ type }) => type === 'epoch');
        accuracies.push(last!.validation!.top1);
      }
      const { mean } = meanAndDeviation(accuracies);
      process.stdout.write(`${method} ${learningRate} ${accuracies.map(percent).join(' ')} mean ${percent(mean)}\n`);
    }
  }
}

async function seeds(): Promise<void> {
  const results = [];
  for (const method of MAIN_JOB_METHODS) {
    const runs = [];
    for (const seed of SEEDS) {
      const folder = await run(mainJob(method, seed), `seeds/${method}-${seed}`);
      const { steps, trainAccuracy, test, worstRatio } = logOf(folder).at(-1) as unknown as TrainingSummary;
      const distances = JSON.parse(readFileSync(join(folder, 'distances.json'), 'utf8')) as LayerDistance[];
      runs.push({ seed, steps, trainAccuracy, test, worstRatio, distances });
    }
    const { mean, deviation } = meanAndDeviation(runs.map(({ test }) => test.top1));
    const { optimizer, regularization } = mainJob(method, 0);
    const { learningRate } = optimizer;
    const { extractor: radiusExtractor, classifier: radiusClassifier } = regularization;
    process.stdout.write(`${method} at ${learningRate}: ${percent(mean)} ± ${percent(deviation)}\n`);
    results.push({ method, learningRate, radiusExtractor, radiusClassifier, mean, deviation, runs });
  }
  const [free, held] = results.map(({ runs }) => runs.map(({ test }) => test.top1));
  const gain = meanAndDeviation(held!.map((accuracy, i) => accuracy - free![i]!));
  const t = gain.mean / (gain.deviation / Math.sqrt(SEEDS.length));
  process.stdout.write(
    `gain per seed: ${percent(gain.mean)} ± ${percent(gain.deviation)}, paired t = ${t.toFixed(2)} (${SEEDS.length - 1} degrees of freedom)\n`,
  );
  const out = join(ROOT, 'docs', 'results');
  mkdirSync(out, { recursive: true });
  const facts = { date: new Date().toISOString().slice(0, 10), command: 'npm run main-job -- seeds', results };
  writeFileSync(join(out, 'main-job.json'), `${JSON.stringify(facts, null, 1)}\n`);
  writeFileSync(join(out, 'main-job.svg'), `${drawMainJob(results)}\n`);
}

/** Arithmetic mean and sample standard deviation. */
function meanAndDeviation(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

const commands: { readonly [name: string]: (() => Promise<void>) | undefined } = { grid, seeds };
const command = commands[process.argv[2] ?? ''];
if (!command) {
  process.stderr.write(`npm run main-job -- ${Object.keys(commands).join('|')}\n`);
  process.exitCode = 2;
} else await command();
