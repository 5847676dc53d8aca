/** Where run folders are made, copied, falsified, and made consistent again as a careful forger would. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { AuditReport, Finding } from '../../../src/audit/verdict.ts';
import { auditFolder } from '../../../src/cli/auditFolder.ts';
import { readSafetensors, type StateDict, writeSafetensors } from '../../../src/io/index.ts';
import { marsgrad, Workspace } from '../../cli/command.ts';

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

export const MARS: readonly string[] = [
  '--method',
  'mars-pgm',
  '--radius-extractor',
  '0.5',
  '--radius-classifier',
  '2',
];

export type LogLine = Record<string, unknown> & { type: string };

export class Lab extends Workspace {
  private animals = '';

  /** The images that runs are made on: 12 to train on, 4 to test. */
  async open(): Promise<void> {
    this.animals = await this.images('animals', ['cat', 'dog'], { train: 6, val: 2, test: 2 });
  }

  get dataset(): string {
    return this.animals;
  }

  /** A run of 6 steps in 2 epochs, 4 images each; the first and the last are recorded. */
  async finetune(name: string, options: readonly string[] = [], dataset = this.animals): Promise<string> {
    const out = this.path(name);
    const what = [
      'finetune',
      '--network',
      'resnet20',
      '--random-init',
      '--dataset',
      dataset,
      '--epochs',
      '2',
      '--lr',
      '0.05',
    ];
    const tiny = ['--image-size', '8', '--batch-size', '4', '--device', 'cpu', '--json', '--out', out];
    const { code, stderr } = await marsgrad([...what, ...tiny, ...options]);
    expect(code, stderr).toBe(0);
    return out;
  }

  copy(run: string, name: string): string {
    cpSync(run, this.path(name), { recursive: true });
    return this.path(name);
  }
}

/** `only`: the checks that are made; recorded steps are looked at closely where they are named (by default: both). */
export const audit = (run: string, only: readonly string[], steps?: readonly number[]): Promise<AuditReport> =>
  auditFolder(run, { only, ...(steps && { steps }) });

/** What failed, as lines `check | place | message`. */
export const failuresOf = ({ checks }: AuditReport): string[] =>
  checks.flatMap(({ id, findings }) =>
    findings
      .filter(({ status }: Finding) => status === 'fail')
      .map(({ place, message }) => `${id} | ${place} | ${message}`),
  );

/** The audit fails in this check, at a place or with words that fit. */
export function expectFailure(report: AuditReport, id: string, pattern: RegExp): void {
  expect(report.verdict).toBe('fail');
  const lines = failuresOf(report).filter((line) => line.startsWith(`${id} | `));
  expect(lines.join('\n')).toMatch(pattern);
}

/** Everything else holds: nothing but these checks fails. */
export function expectOnly(report: AuditReport, ...ids: string[]): void {
  expect([...new Set(failuresOf(report).map((line) => line.split(' | ')[0]))]).toEqual(ids);
}

export const readLog = (run: string): LogLine[] =>
  readFileSync(`${run}/log.ndjson`, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

export function writeLog(run: string, lines: readonly LogLine[]): void {
  writeFileSync(`${run}/log.ndjson`, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
}

/** Changes log lines in place, leaving their `previous` as they are. */
export function editLog(run: string, edit: (line: LogLine) => void): void {
  const lines = readLog(run);
  for (const line of lines) edit(line);
  writeLog(run, lines);
}

/** Changes one tensor of a safetensors file. */
export function editState(path: string, name: string, edit: (values: Float32Array) => void): void {
  const { state, metadata } = readSafetensors(readFileSync(path), path);
  const entry = (state as StateDict).get(name)!;
  const data = Float32Array.from(entry.data as Float32Array);
  edit(data);
  state.set(name, { ...entry, data });
  writeFileSync(path, writeSafetensors(state, metadata));
}

/** The next float32 away from zero. */
export function oneUlp(values: Float32Array, index: number): void {
  new Int32Array(values.buffer, values.byteOffset)[index]! += 1;
}

/** What a forger does who knows the format: all digests in the log are made right again, and with them the chain. */
export function mend(run: string): void {
  const digestOf = (name: string) => sha256(readFileSync(`${run}/${name}`));
  let previous = digestOf('config.json');
  const lines = readLog(run).map((line) => {
    const files = line.files as Record<string, string> | undefined;
    const folder = line.type === 'record' ? `${String(line.folder)}/` : '';
    const mended = files && Object.fromEntries(Object.keys(files).map((name) => [name, digestOf(folder + name)]));
    const { previous: _, ...rest } = line;
    const own = { ...rest, ...(mended && { files: mended }), previous } as LogLine;
    previous = sha256(JSON.stringify(own));
    return own;
  });
  writeLog(run, lines);
}

export const stepFolders = (run: string): string[] =>
  existsSync(`${run}/record`)
    ? readdirSync(`${run}/record`)
        .sort()
        .map((name) => `record/${name}`)
    : [];
