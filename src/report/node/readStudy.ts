/** Run folders, sweeps and searches, read from where they lie. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { readSafetensors } from '../../io/index.ts';
import type { LayerDistance } from '../../regularizers/index.ts';
import type { Predictions, RunConfig } from '../../train/index.ts';
import type {
  DistanceFacts,
  EpochFacts,
  ReportRun,
  SearchFacts,
  StepFacts,
  Study,
  SummaryFacts,
  TrialFacts,
} from '../runs.ts';

/** A run before it is known which row of the table it belongs to. */
export type RunFolderFacts = Omit<ReportRun, 'task' | 'conditions' | 'method' | 'settings'>;

/** Task, method and settings of runs that are compared, in their order. */
export type Grouping = (runs: readonly RunFolderFacts[]) => readonly Pick<ReportRun, 'task' | 'method' | 'settings'>[];

interface Found {
  readonly runs: string[];
  readonly searches: string[];
  /** Folders of sweeps. */
  readonly sweeps: string[];
}

/** A run's file that is not as it must be. */
export class RunFileError extends Error {
  override readonly name = 'RunFileError';
}

/** All that lies at or below the paths. In a sweep, folders tell task and method; `group` tells the rest. Throws where there is no run and no search. */
export function readStudy(paths: readonly string[], group: Grouping): Study {
  const found: Found = { runs: [], searches: [], sweeps: [] };
  for (const path of paths) {
    if (!existsSync(path)) throw new RunFileError(`There is no folder ${path}.`);
    if (!statSync(path).isDirectory()) throw new RunFileError(`${path} is a file; a run is a folder.`);
    search(path, found);
  }
  const folders = [...new Set(found.runs)].map(readRunFolder);
  const inSweep = new Map(folders.flatMap((run) => placeOf(run.path).map((place) => [run, place] as const)));
  const groups = group(folders);
  const runs = folders.map((run, i): ReportRun => {
    const own = groups[i]!;
    return { ...run, ...own, conditions: own.task, ...inSweep.get(run) };
  });
  const recipes = [...new Set([...found.sweeps, ...[...inSweep.keys()].map(({ path }) => sweepOf(path)!)])];
  const recipe = recipes.length === 1 ? readFileSync(join(recipes[0]!, 'sweep.json'), 'utf8') : null;
  return { name: recipe && nameOf(recipe), runs, searches: found.searches.map(readSearch), recipe };
}

/** Other programs have a config.json too. */
const RUN_FILES = ['config.json', 'log.ndjson'];
/** Before the first trial has ended there is the space alone. */
const SEARCH_FILES = ['trials.ndjson', 'search.json'];

/** A folder of trials is a search; the runs in it are no results. */
function search(path: string, found: Found): void {
  if (existsSync(join(path, 'sweep.json'))) found.sweeps.push(path);
  if (SEARCH_FILES.some((name) => existsSync(join(path, name)))) found.searches.push(path);
  else if (RUN_FILES.every((name) => existsSync(join(path, name)))) found.runs.push(path);
  else {
    const names = readdirSync(path).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    const folders = names.map((name) => join(path, name)).filter((one) => statSync(one).isDirectory());
    for (const one of folders) search(one, found);
  }
}

/** The folder of the sweep that a run at OUT/TASK/METHOD/seed-N belongs to. */
function sweepOf(path: string): string | null {
  const folder = dirname(dirname(dirname(resolve(path))));
  return existsSync(join(folder, 'sweep.json')) ? folder : null;
}

function placeOf(path: string): Pick<ReportRun, 'task' | 'method'>[] {
  if (sweepOf(path) === null) return [];
  const method = dirname(resolve(path));
  return [{ task: basename(dirname(method)), method: basename(method) }];
}

function nameOf(recipe: string): string | null {
  const { name } = JSON.parse(recipe) as { readonly name?: unknown };
  return typeof name === 'string' ? name : null;
}

function readRunFolder(path: string): RunFolderFacts {
  const config = json<RunConfig>(join(path, 'config.json'));
  if (typeof config.settings?.regularization !== 'object' || typeof config.settings.optimizer !== 'object')
    throw new RunFileError(`${path} is no run that this version can read: its config.json has other settings.`);
  const log = lines(join(path, 'log.ndjson'));
  const ofType = <T>(type: string) => log.filter((record) => record.type === type) as unknown as T[];
  const [summary = null] = ofType<SummaryFacts>('summary').slice(-1);
  const distances = join(path, 'distances.json');
  return {
    path,
    config,
    epochs: ofType<EpochFacts>('epoch'),
    steps: ofType<StepFacts>('step'),
    distances: ofType<DistanceFacts>('distances'),
    summary,
    layers: summary && existsSync(distances) ? json<LayerDistance[]>(distances) : null,
    factor: factorOf(path),
  };
}

/** Runs of a sensitivity study lie at OUT/METHOD/factor-F/seed-N. */
function factorOf(path: string): number | null {
  const [, text] = /^factor-(.+)$/.exec(basename(dirname(resolve(path)))) ?? [];
  return text !== undefined && Number(text) > 0 ? Number(text) : null;
}

function readSearch(path: string): SearchFacts {
  const above = dirname(resolve(path));
  const isOfSweep = basename(resolve(path)) === 'tune' && existsSync(join(dirname(dirname(above)), 'sweep.json'));
  return {
    path,
    task: isOfSweep ? basename(dirname(above)) : 'tuning',
    method: isOfSweep ? basename(above) : methodOfTrials(path),
    // Several run at once: they end in any order.
    trials: trialsIn(join(path, 'trials.ndjson')).sort((a, b) => a.trial - b.trial),
  };
}

const trialsIn = (file: string): TrialFacts[] => (existsSync(file) ? (lines(file) as unknown as TrialFacts[]) : []);

/** Trials lie beside their list, as far as they ran. */
function methodOfTrials(path: string): string {
  const configs = readdirSync(path).map((name) => join(path, name, 'config.json'));
  const first = configs.find((file) => existsSync(file));
  return first ? json<RunConfig>(first).settings.regularization.method : basename(resolve(path));
}

/** The predictions of a complete run; null where the file is not there. */
export function readPredictions({ path }: Pick<ReportRun, 'path'>): Predictions | null {
  const file = join(path, 'predictions.safetensors');
  if (!existsSync(file)) return null;
  const { state } = readSafetensors(readFileSync(file), file);
  const [logits, labels] = [state.get('logits'), state.get('labels')];
  if (!logits || !labels) throw new RunFileError(`${file} holds no logits and labels.`);
  return { logits: logits.data as Float32Array, labels: labels.data as Int32Array };
}

function json<T>(file: string): T {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (cause) {
    throw new RunFileError(`${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** A line that is being written, or that a killed process left, is left out. */
function lines(file: string): { readonly type?: string }[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as { readonly type?: string }];
      } catch {
        return [];
      }
    });
}
