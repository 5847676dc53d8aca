/**
 * The tuning of one way to train: trials stored as they end, so that a search goes on after them.
 *
 *   FOLDER/trials.ndjson   a line per trial, the oldest first
 *   FOLDER/trial-NNN/      config and log of each
 *   FOLDER/best.json       the point of the highest validation accuracy, when all trials are done
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DeviceRequest } from '../../devices/choose.ts';
import { type Look, leastAccuracies } from '../../experiments/prune.ts';
import type { Tuning } from '../../experiments/recipe.ts';
import type { SearchSpace } from '../../experiments/space.ts';
import { suggest } from '../../experiments/tpe.ts';
import { oneLine } from '../errors.ts';
import type { TrainingSettings } from '../settings.ts';
import { hasDiverged, type Job, type JobResult } from './job.ts';

/** Options of `finetune` by their long names. */
export type SearchPoint = Readonly<Record<string, number | string | boolean>>;

/** A line of trials.ndjson. */
export interface StoredTrial {
  readonly trial: number;
  readonly point: SearchPoint;
  readonly status: 'done' | 'pruned' | 'failed';
  /** Validation accuracy (0 … 1) at the last epoch, or at the look that ended it; null where it failed. */
  readonly accuracy: number | null;
  readonly epochs: number;
  readonly looks: readonly Look[];
  readonly seconds: number;
  /** Why it failed. */
  readonly error?: string;
}

export interface BestPoint {
  readonly point: SearchPoint;
  readonly trial: number;
  readonly accuracy: number;
  readonly trials: number;
}

export interface SearchRequest {
  readonly folder: string;
  readonly space: SearchSpace;
  readonly tuning: Tuning;
  readonly device: DeviceRequest;
  /** How one trains at a point. */
  readonly settingsAt: (point: SearchPoint) => Promise<TrainingSettings>;
  readonly run: (job: Job) => Promise<JobResult>;
  readonly onTrial: (trial: StoredTrial) => void;
}

/** Runs the trials that are missing. Rejects where all of them failed. */
export async function search(request: SearchRequest): Promise<{ best: BestPoint; trials: readonly StoredTrial[] }> {
  const { folder, tuning, onTrial } = request;
  mkdirSync(folder, { recursive: true });
  checkSame(join(folder, 'search.json'), { space: request.space, tuning });
  const trials = readTrials(folder);
  while (trials.length < tuning.maxEvals) {
    const trial = await nextTrial(request, trials);
    trials.push(trial);
    appendFileSync(join(folder, 'trials.ndjson'), `${JSON.stringify(trial)}\n`);
    onTrial(trial);
  }
  const done = trials.filter(({ status }) => status === 'done');
  if (done.length === 0)
    throw new Error(`all ${trials.length} trials in ${folder} failed; the last: ${trials.at(-1)?.error}`);
  const winner = done.reduce((best, trial) => (trial.accuracy! > best.accuracy! ? trial : best));
  const best = { point: winner.point, trial: winner.trial, accuracy: winner.accuracy!, trials: trials.length };
  writeFileSync(join(folder, 'best.json'), `${JSON.stringify(best, null, 2)}\n`);
  return { best, trials };
}

/** Trials of another search are no start for this one; more of the same are. */
function checkSame(path: string, { space, tuning }: Pick<SearchRequest, 'space' | 'tuning'>): void {
  const { maxEvals: _, ...facts } = tuning;
  const text = `${JSON.stringify({ space, ...facts }, null, 2)}\n`;
  if (!existsSync(path)) writeFileSync(path, text);
  else if (readFileSync(path, 'utf8') !== text)
    throw new Error(`${path} is of another search (space, seed or looks differ): choose another --out.`);
}

export function readTrials(folder: string): StoredTrial[] {
  const path = join(folder, 'trials.ndjson');
  if (!existsSync(path)) return [];
  const trials = readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      // A killed process may leave half a line behind: that trial is done again.
      try {
        return [JSON.parse(line) as StoredTrial];
      } catch {
        return [];
      }
    });
  writeFileSync(path, trials.map((trial) => `${JSON.stringify(trial)}\n`).join(''));
  return trials;
}

async function nextTrial(request: SearchRequest, trials: readonly StoredTrial[]): Promise<StoredTrial> {
  const { folder, space, tuning, device, settingsAt, run } = request;
  const { seed, startupTrials, evaluateEvery } = tuning;
  const trial = trials.length;
  const losses = trials.map(({ point, accuracy }) => ({ point, loss: accuracy === null ? null : 1 - accuracy }));
  const point = suggest(space, losses, { seed, startupTrials }) as SearchPoint;
  const settings: TrainingSettings = { ...(await settingsAt(point)), seed, evaluateOn: 'val', evaluateEvery };
  const out = join(folder, `trial-${String(trial).padStart(3, '0')}`);
  const job = {
    settings,
    device,
    out,
    isTrial: true,
    leastAccuracies: leastAccuracies(trials.map((one) => one.looks)),
  };
  try {
    const { status, accuracy, epochs, looks, seconds } = await run(job);
    return { trial, point, status: status === 'pruned' ? status : 'done', accuracy, epochs, looks, seconds };
  } catch (error) {
    if (!hasDiverged(error)) throw error;
    return { trial, point, status: 'failed', accuracy: null, epochs: 0, looks: [], seconds: 0, error: oneLine(error) };
  }
}

/** `lr 0.0123, radius-extractor 0.3`. */
export const describePoint = (point: SearchPoint): string =>
  Object.entries(point)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toPrecision(4)) : value}`)
    .join(', ');
