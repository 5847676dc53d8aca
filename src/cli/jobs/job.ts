/** One training among many: begun, gone on with where it was cut off, or found done. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { DeviceRequest } from '../../devices/choose.ts';
import type { Look } from '../../experiments/prune.ts';
import type { EpochRecord, Evaluation, RecordPlan } from '../../train/index.ts';
import { Output } from '../output.ts';
import { type RunConfig, RunFolder } from '../runFolder.ts';
import type { TrainingSettings } from '../settings.ts';
import { type RunRequest, resumeRun, startRun, type TrainingSummary } from '../trainingRun.ts';

/** Plain JSON: it travels to worker processes. */
export interface Job {
  readonly settings: TrainingSettings;
  readonly device: DeviceRequest;
  /** The run folder. */
  readonly out: string;
  /** Steps kept for an audit; left out: none. */
  readonly record?: RecordPlan;
  /** By epoch, the least validation accuracy with which the training goes on. */
  readonly leastAccuracies?: Readonly<Record<number, number>>;
  /** Keep only what tells how it went: config and log. */
  readonly isTrial?: boolean;
}

export interface JobResult {
  /** `found`: it had been done before. */
  readonly status: 'done' | 'found' | 'pruned';
  /** Of the images that decide; of a pruned training, at its last look. */
  readonly accuracy: number;
  readonly epochs: number;
  /** The looks at the validation images. */
  readonly looks: readonly Look[];
  readonly seconds: number;
}

const SILENT = { write: () => true, isTTY: false } as unknown as NodeJS.Process['stdout'] & NodeJS.Process['stderr'];

/** Rejects with InterruptedError, all being saved, when the signal aborts; with the training's own error when it fails. */
export async function runJob(job: Job, signal: AbortSignal): Promise<JobResult> {
  const startedAt = performance.now();
  const run = RunFolder.at(job.out);
  const state = stateOf(job);
  const looks = state === 'new' ? [] : looksOf(run);
  const seconds = () => (performance.now() - startedAt) / 1000;
  if (state !== 'done') {
    // A run that was cut off may have been hopeless already, its end not yet told.
    if (looks.some((look) => isHopeless(job, look))) return pruned(job, run, seconds());
    const hopeless = new AbortController();
    const onEpoch = ({ epoch }: EpochRecord, validation: Evaluation | null) => {
      if (validation && isHopeless(job, { epoch, accuracy: validation.top1 })) hopeless.abort();
    };
    const output = new Output(false, { stdout: SILENT, stderr: SILENT }, true);
    const request = { device: job.device, output, signal: AbortSignal.any([signal, hopeless.signal]), onEpoch };
    try {
      await startOrResume(job, state, request);
    } catch (error) {
      if (hopeless.signal.aborted && !signal.aborted) return pruned(job, run, seconds());
      throw error;
    } finally {
      output.close();
    }
  }
  if (job.isTrial) dropResults(run);
  const summary = run.readLog().at(-1) as unknown as TrainingSummary;
  const status = state === 'done' ? 'found' : 'done';
  return { status, accuracy: summary.test.top1, epochs: job.settings.epochs, looks: looksOf(run), seconds: seconds() };
}

/** True where training itself failed: no number was finite any more. In a search that is a result, all else is a mistake. */
export const hasDiverged = (error: unknown): error is Error =>
  error instanceof Error &&
  ['NonFiniteLossError', 'NonFiniteWeightsError', 'NonFiniteLogitsError'].includes(error.name);

type State = 'new' | 'cut-off' | 'done';

function stateOf({ settings, out }: Job): State {
  const run = RunFolder.at(out);
  if (!existsSync(run.file('log.ndjson'))) {
    // Killed before its first line, a run has left nothing that is worth keeping.
    if (existsSync(out)) discardBeginning(out);
    return 'new';
  }
  const before = JSON.parse(readFileSync(run.file('config.json'), 'utf8')) as RunConfig;
  const differing = Object.entries(settings).find(
    ([name, value]) => JSON.stringify(before.settings[name as keyof TrainingSettings]) !== JSON.stringify(value),
  );
  if (differing) throw new Error(`${out} was made with another ${differing[0]}: choose another --out, or remove it.`);
  return run.isComplete() ? 'done' : 'cut-off';
}

function discardBeginning(out: string): void {
  const others = readdirSync(out).filter((name) => name !== 'config.json');
  if (others.length > 0) throw new Error(`${out} is no run folder, and not empty: choose another --out.`);
  rmSync(out, { recursive: true });
}

async function startOrResume(job: Job, state: State, request: Omit<RunRequest, 'settings' | 'out'>): Promise<void> {
  if (state === 'cut-off') await resumeRun(job.out, request);
  else {
    const { settings, out, record } = job;
    await startRun({ ...request, settings, out, ...(record && { record }) });
  }
}

function looksOf(run: RunFolder): Look[] {
  const epochs = run.readLog().filter((line) => line.type === 'epoch');
  return (epochs as unknown as (EpochRecord & { validation: Evaluation | null })[]).flatMap(({ epoch, validation }) =>
    validation ? [{ epoch, accuracy: validation.top1 }] : [],
  );
}

const isHopeless = ({ leastAccuracies = {} }: Job, { epoch, accuracy }: Look): boolean =>
  accuracy < (leastAccuracies[epoch] ?? 0);

function pruned(job: Job, run: RunFolder, seconds: number): JobResult {
  const looks = looksOf(run);
  const last = looks.findIndex((look) => isHopeless(job, look));
  const { epoch, accuracy } = looks[last]!;
  dropResults(run);
  return { status: 'pruned', accuracy, epochs: epoch, looks: looks.slice(0, last + 1), seconds };
}

function dropResults(run: RunFolder): void {
  for (const name of readdirSync(run.path))
    if (name !== 'config.json' && name !== 'log.ndjson') rmSync(run.file(name), { recursive: true });
}
