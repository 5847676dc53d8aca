/** A run folder as an auditor finds it: nothing in it is trusted, and what cannot be read is said, not thrown. */
import { readSafetensors, type StateDict } from '../io/index.ts';
import type { LogRecord, Predictions, RunConfig } from '../train/index.ts';
import type { AuditContext, RecordedStep, RunFiles, StepState } from './context.ts';
import { fromJson, RECORD_FORMAT, type RecordLine, type StepFile, stepFolder } from './format.ts';

export interface RunOptions
  extends Pick<AuditContext, 'path' | 'open' | 'thorough' | 'onMessage'>,
    Partial<Pick<AuditContext, 'replayOn'>> {
  readonly files: RunFiles;
  /** Steps that costly checks look at; `all`, or by default the first recorded and the last. */
  readonly steps?: readonly number[] | 'all';
}

/** Throws where the folder holds no run at all. */
export async function readRun({ files, steps: asked, ...options }: RunOptions): Promise<AuditContext> {
  const { path } = options;
  if (!files.exists('config.json')) throw new Error(`${path} is no run folder: it has no config.json.`);
  const configBytes = await files.read('config.json');
  const config = configOf(configBytes, path);
  const text = files.exists('log.ndjson') ? new TextDecoder().decode(await files.read('log.ndjson')) : '';
  const logLines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  const log = logLines.map(recordOf);
  const { steps, unreadable } = await readSteps(files, log);
  const chosenSteps = chooseSteps(steps, asked, path);
  const kind = config.device.kind as AuditContext['replayOn'];
  const state = async (name: string): Promise<StateDict | undefined> =>
    files.exists(name) ? readSafetensors(await files.read(name), `${path}/${name}`).state : undefined;
  return {
    replayOn: kind,
    ...options,
    config,
    configBytes,
    logLines,
    log,
    steps,
    chosenSteps,
    unreadable,
    files,
    weights: () => state('weights.safetensors'),
    predictions: async () => predictionsOf(await state('predictions.safetensors')),
  };
}

function configOf(bytes: Uint8Array, path: string): RunConfig {
  let config: Partial<RunConfig>;
  try {
    config = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Error(`${path}/config.json is not JSON.`);
  }
  if (!config?.settings || !config.device || !config.inputs?.dataset || !config.preprocessing)
    throw new Error(
      `${path}/config.json is not what marsgrad writes there: settings, device, inputs or preprocessing are missing.`,
    );
  return config as RunConfig;
}

function recordOf(line: string): LogRecord & Record<string, unknown> {
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record === 'object' && record !== null && !Array.isArray(record))
      return { type: 'unknown', step: 0, ...record };
  } catch {
    // Said below.
  }
  return { type: 'unreadable', step: 0 };
}

async function readSteps(
  files: RunFiles,
  log: AuditContext['log'],
): Promise<Pick<AuditContext, 'steps' | 'unreadable'>> {
  const steps: RecordedStep[] = [];
  const unreadable: { place: string; message: string }[] = [];
  for (const line of log) {
    if (line.type !== 'record') continue;
    const { step } = line as unknown as RecordLine;
    const folder = stepFolder(step);
    try {
      steps.push(await readStep(files, folder));
    } catch (error) {
      unreadable.push({ place: `step ${step}, ${folder}`, message: (error as Error).message });
    }
  }
  steps.sort((a, b) => a.step - b.step);
  return { steps, unreadable };
}

/** Reads and checks the form of a recorded step. @throws Error that names file and fault. */
export async function readStep(files: RunFiles, folder: string): Promise<RecordedStep> {
  const path = `${folder}/step.json`;
  const file = stepFileOf(new TextDecoder().decode(await files.read(path)), path);
  if (stepFolder(file.step) !== folder) throw new Error(`${path} is about step ${file.step}.`);
  const name = `${folder}/state.safetensors`;
  const { state } = readSafetensors(await files.read(name), name);
  const part = (prefix: string): StateDict => {
    const own = [...state].filter(([key]) => key.startsWith(prefix));
    return new Map(own.map(([key, entry]) => [key.slice(prefix.length), entry]));
  };
  const around = (when: 'before' | 'after'): StepState => ({
    model: part(`${when}/model/`),
    optimizer: part(`${when}/optimizer/`),
  });
  const [before, after, gradients] = [around('before'), around('after'), part('gradient/')];
  for (const [what, values] of Object.entries({
    'before/model': before.model,
    'after/model': after.model,
    gradient: gradients,
  }))
    if (values.size === 0) throw new Error(`${name} holds no ${what}/….`);
  return { step: file.step, folder, file, before, after, gradients };
}

function stepFileOf(text: string, path: string): StepFile {
  let value: Partial<StepFile>;
  try {
    value = fromJson(text) as Partial<StepFile>;
  } catch {
    throw new Error(`${path} is not JSON.`);
  }
  if (value?.format !== RECORD_FORMAT)
    throw new Error(`${path} has the format ${value?.format}; this version reads ${RECORD_FORMAT}.`);
  const numbers = [value.step, value.epoch, value.learningRate, value.optimizerStep].every(
    (one) => typeof one === 'number',
  );
  const lists = [value.batches, value.arenas, value.trainable, value.buffers, value.launches].every(Array.isArray);
  if (!numbers || !lists || !value.metrics || !value.sources || value.batches?.length === 0)
    throw new Error(`${path} is not what marsgrad writes there: a part of it is missing.`);
  return value as StepFile;
}

function chooseSteps(
  steps: readonly RecordedStep[],
  asked: readonly number[] | 'all' | undefined,
  path: string,
): readonly RecordedStep[] {
  if (asked === 'all') return steps;
  if (asked === undefined) return steps.length <= 2 ? steps : [steps[0]!, steps.at(-1)!];
  return asked.map((number) => {
    const found = steps.find(({ step }) => step === number);
    if (found) return found;
    const known = steps.map(({ step }) => step).join(', ') || 'none';
    throw new Error(`${path} has no readable record of step ${number}; there are: ${known}.`);
  });
}

function predictionsOf(state: StateDict | undefined): Predictions | undefined {
  if (!state) return undefined;
  const [logits, labels] = [state.get('logits')?.data, state.get('labels')?.data];
  if (!(logits instanceof Float32Array) || !(labels instanceof Int32Array))
    throw new Error('predictions.safetensors holds no logits (f32) or no labels (i32).');
  return { logits, labels };
}
