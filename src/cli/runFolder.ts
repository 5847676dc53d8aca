/**
 * The folder of a training run:
 *
 *   config.json           every setting, seed, device, versions, checksums of the inputs
 *   log.ndjson            one JSON object per line: every so many steps, every epoch, and in the end a summary. A line's `previous` is the
 *                         sha256 of the line before it (of config.json, in the first): a log that was cut or edited shows. The summary
 *                         holds the sha256 of the files below
 *   weights.safetensors   the result, with PyTorch's names; network, classes and preprocessing in its metadata
 *   predictions.safetensors  logits (N, classes) and labels (N) of the images that decide, in the data set's order
 *   record/               the steps that were recorded for an audit: `src/audit/format.ts`
 *   distances.json        how far each layer moved from where it began
 *   checkpoint.safetensors   while the run is not complete: all that `--resume` needs
 */
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RecordLine, stepFolder } from '../audit/format.ts';
import type { StepFiles } from '../audit/record.ts';
import { readSafetensors, type StateDict } from '../io/index.ts';
import { saveSafetensors } from '../io/node/files.ts';
import type { LayerDistance } from '../regularizers/index.ts';
import { type Checkpoint, packCheckpoint, unpackCheckpoint } from '../train/index.ts';
import type { LogRecord, Predictions, RunConfig } from '../train/runFormat.ts';
import { UsageError } from './errors.ts';

export type { LogRecord, Predictions, RunConfig };

const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export class RunFolder {
  readonly path: string;
  /** Digest of the log's last line, where it is known. */
  private head: string | null = null;

  private constructor(path: string) {
    this.path = path;
  }

  /** Throws where the folder holds anything. */
  static checkFree(path: string): void {
    if (existsSync(path) && readdirSync(path).length > 0)
      throw new UsageError(
        `${path} exists and is not empty: choose another --out, or go on with it by --resume ${path}.`,
      );
  }

  /** A new folder. */
  static create(path: string, config: RunConfig): RunFolder {
    RunFolder.checkFree(path);
    mkdirSync(path, { recursive: true });
    const run = new RunFolder(path);
    writeFileSync(run.file('config.json'), `${JSON.stringify(config, null, 2)}\n`);
    writeFileSync(run.file('log.ndjson'), '');
    return run;
  }

  /** A run of any state, to read from. */
  static at(path: string): RunFolder {
    return new RunFolder(path);
  }

  /** A run that was stopped before its end. */
  static open(path: string): { run: RunFolder; config: RunConfig } {
    const run = new RunFolder(path);
    if (!existsSync(run.file('config.json'))) throw new UsageError(`${path} is no run folder: it has no config.json.`);
    if (run.isComplete()) throw new UsageError(`${path} is complete: there is nothing to resume.`);
    return { run, config: JSON.parse(readFileSync(run.file('config.json'), 'utf8')) as RunConfig };
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** True where the run came to its end: the log's last line is its summary. */
  isComplete(): boolean {
    return existsSync(this.file('log.ndjson')) && this.readLog().at(-1)?.type === 'summary';
  }

  log<T extends LogRecord>(record: T): void {
    const line = JSON.stringify({ ...record, previous: this.lastDigest() });
    appendFileSync(this.file('log.ndjson'), `${line}\n`);
    this.head = sha256(line);
  }

  private lastDigest(): string {
    if (this.head !== null) return this.head;
    const last = readFileSync(this.file('log.ndjson'), 'utf8').trimEnd().split('\n').at(-1);
    return sha256(last ? last : readFileSync(this.file('config.json')));
  }

  readLog(): LogRecord[] {
    const lines = readFileSync(this.file('log.ndjson'), 'utf8').split('\n');
    return lines.flatMap((line) => {
      // A killed process may leave half a line behind.
      try {
        return [JSON.parse(line) as LogRecord];
      } catch {
        return [];
      }
    });
  }

  /** Keeps a recorded step, and ties its files into the log. */
  record(step: number, epoch: number, contents: StepFiles): void {
    const folder = stepFolder(step);
    mkdirSync(this.file(folder), { recursive: true });
    for (const [name, bytes] of contents) writeFileSync(join(this.file(folder), name), bytes);
    const files = Object.fromEntries([...contents].map(([name, bytes]) => [name, sha256(bytes)]));
    this.log<RecordLine>({ type: 'record', step, epoch, folder, files });
  }

  /** Drops what was logged and recorded after the checkpoint: those steps are done again. */
  truncateLog(step: number): void {
    for (const name of existsSync(this.file('record')) ? readdirSync(this.file('record')) : []) {
      const number = Number(name.match(/^step-(\d+)$/)?.[1]);
      if (number > step) rmSync(this.file(join('record', name)), { recursive: true });
    }
    const kept = this.readLog().filter((record) => record.step <= step);
    this.head = null;
    writeFileSync(this.file('log.ndjson'), kept.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }

  async saveCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const { state, metadata } = packCheckpoint(checkpoint);
    await saveSafetensors(this.file('checkpoint.safetensors'), state, metadata);
  }

  /** Undefined where the run was stopped before its first epoch ended. */
  async readCheckpoint(): Promise<Checkpoint | undefined> {
    const path = this.file('checkpoint.safetensors');
    if (!existsSync(path)) return undefined;
    const { state, metadata } = readSafetensors(await readFile(path), path);
    return unpackCheckpoint(state, metadata, path);
  }

  /** Writes the results; returns their digests by file name. */
  async saveResults(
    state: StateDict,
    metadata: Record<string, string>,
    distances: readonly LayerDistance[],
    { logits, labels }: Predictions,
  ): Promise<Readonly<Record<string, string>>> {
    const classes = labels.length === 0 ? 0 : logits.length / labels.length;
    const predictions: StateDict = new Map([
      ['logits', { dtype: 'f32', shape: [labels.length, classes], data: logits }],
      ['labels', { dtype: 'i32', shape: [labels.length], data: labels }],
    ]);
    writeFileSync(this.file('distances.json'), `${JSON.stringify(distances, null, 2)}\n`);
    await saveSafetensors(this.file('predictions.safetensors'), predictions, {});
    await saveSafetensors(this.file('weights.safetensors'), state, metadata);
    const names = ['weights.safetensors', 'predictions.safetensors', 'distances.json'];
    return Object.fromEntries(names.map((name) => [name, sha256(readFileSync(this.file(name)))]));
  }

  /** The last line of the log; the run is complete then, and its checkpoint is removed. */
  complete<T extends LogRecord>(summary: T): void {
    this.log(summary);
    rmSync(this.file('checkpoint.safetensors'), { force: true });
  }
}

/** `base`, or else the first of `base-2`, `base-3`, … that does not exist. */
export function freePath(base: string): string {
  if (!existsSync(base)) return base;
  for (let n = 2; ; n++) if (!existsSync(`${base}-${n}`)) return `${base}-${n}`;
}
