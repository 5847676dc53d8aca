/** Studies on tiny images, what is left of them, and a death for the command that makes them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { PACKAGE_ROOT } from '../../src/cli/package.ts';
import type { Workspace } from './command.ts';

/** Options of all runs, by their long names. */
export async function tinyBase(workspace: Workspace): Promise<Record<string, string | number | boolean>> {
  const dataset = await workspace.images('animals', ['cat', 'dog'], { train: 6, val: 4, test: 4 });
  return {
    network: 'resnet20',
    'random-init': true,
    dataset,
    'image-size': 8,
    'batch-size': 4,
    epochs: 3,
    'log-every': 0,
    'evaluate-every': 0,
  };
}

export const asArguments = (options: Readonly<Record<string, string | number | boolean>>): string[] =>
  Object.entries(options).flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, String(value)]));

export function writeRecipe(workspace: Workspace, name: string, recipe: object): string {
  const path = workspace.path(`${name}.json`);
  writeFileSync(path, JSON.stringify(recipe));
  return path;
}

export const STUDY = {
  tasks: { one: { 'train-per-class': 4 }, fast: { 'train-per-class': 4, 'tuned-like': 'one', 'lr-factor': 2 } },
  methods: { none: {}, 'mars-pgm': { space: { 'radius-extractor': '0.1..1', 'radius-classifier': '1..3' } } },
  seeds: [0, 1],
  tune: { 'max-evals': 3, 'startup-trials': 2, seed: 7, 'evaluate-every': 1, space: { lr: '0.01..0.1' } },
};

/** Every file of a study that says what came out. */
export function results(folder: string): Record<string, unknown> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const lines = (path: string) =>
    readFileSync(join(folder, path), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
  return Object.fromEntries(
    files.flatMap((path): [string, unknown][] => {
      if (path.endsWith('weights.safetensors')) return [[path, readFileSync(join(folder, path)).toString('base64')]];
      if (path.endsWith('trials.ndjson')) return [[path, lines(path).map(({ seconds: _, ...trial }) => trial)]];
      if (path.endsWith('best.json')) return [[path, readFileSync(join(folder, path), 'utf8')]];
      return [];
    }),
  );
}

/** In a process of its own, as `npx marsgrad` would be; resolves when it ended. */
export function inProcess(args: readonly string[]): { child: ChildProcess; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [join(PACKAGE_ROOT, 'dist/cli.js'), ...args], { stdio: 'ignore' });
  return { child, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

export const epochsLogged = (log: string): number[] =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{"type":"epoch"'))
        .map((line) => JSON.parse(line).epoch)
    : [];

/** Kills the command as soon as `hasCome`; returns false where it ended before. */
export async function killWhen(args: readonly string[], hasCome: () => boolean): Promise<boolean> {
  const { child, ended } = inProcess(args);
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  while (!isOver && !hasCome()) await new Promise((resolve) => setTimeout(resolve, 5));
  const wasKilled = !isOver && child.kill('SIGKILL');
  await ended;
  return wasKilled;
}

/**
 * The command with another --out each: once left alone, once killed in every one of the places (run folders) after its third epoch, and
 * then begun again. Throws where a killed process went on, lost more than an epoch, or came to other bytes.
 */
export async function killedIsAsWhole(
  workspace: Workspace,
  command: readonly string[],
  places: readonly string[],
): Promise<void> {
  const whole = workspace.path(`whole-${places.length}-${command[0]}`);
  const out = workspace.path(`killed-${places.length}-${command[0]}`);
  expect(await inProcess([...command, '--out', whole]).ended).toBe(0);
  for (const place of places) {
    const epochs = () => epochsLogged(join(out, place, 'log.ndjson'));
    const total = epochsLogged(join(whole, place, 'log.ndjson')).length;
    const wasKilled = await killWhen([...command, '--out', out], () => epochs().length >= 3);
    expect(wasKilled, `${place} was over before it was killed`).toBe(true);
    // Workers end with their parent.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = epochs().length;
    expect(before).toBeGreaterThanOrEqual(3);
    expect(before).toBeLessThan(total);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(epochs()).toHaveLength(before);
  }
  expect(await inProcess([...command, '--out', out]).ended).toBe(0);
  for (const place of places) {
    const epochs = epochsLogged(join(out, place, 'log.ndjson'));
    expect(epochs).toEqual(epochsLogged(join(whole, place, 'log.ndjson')));
  }
  expect(results(out)).toEqual(results(whole));
}
