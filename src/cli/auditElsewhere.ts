/** Part of an audit in a process of its own: float64 in TypeScript keeps one core busy, and there are more. */
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Check } from '../audit/context.ts';
import type { CheckResult } from '../audit/verdict.ts';
import type { AuditFolderOptions } from './auditFolder.ts';
import { PACKAGE_ROOT } from './package.ts';

const PROGRAM = join(PACKAGE_ROOT, 'dist/cli.js');

/** Where the same program can be started once more. */
export function canRunElsewhere(): boolean {
  try {
    return availableParallelism() > 1 && realpathSync(process.argv[1] ?? '') === realpathSync(PROGRAM);
  } catch {
    return false;
  }
}

/** What these checks give, by their ids; null where the process did not come to an end. */
export type Elsewhere = Promise<ReadonlyMap<string, CheckResult> | null>;

/** Starts at once. */
export function runElsewhere(path: string, checks: readonly Check[], options: AuditFolderOptions): Elsewhere {
  const ids = checks.map(({ id }) => id);
  const { on, steps, thorough, weights, dataset, threads, signal } = options;
  const args = ['audit', path, '--json', '--only', ids.join(','), '--alone'];
  const say = (name: string, value: string | number | undefined) => {
    if (value !== undefined) args.push(name, String(value));
  };
  say('--on', on);
  say('--steps', steps === 'all' ? steps : steps?.join(','));
  say('--weights', weights);
  say('--dataset', dataset);
  say('--threads', threads);
  if (thorough) args.push('--thorough');
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    ...(signal && { signal }),
  });
  const stop = () => child.kill();
  process.once('exit', stop);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  return new Promise((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', () => {
      process.off('exit', stop);
      resolve(resultsIn(text, ids));
    });
  });
}

function resultsIn(text: string, ids: readonly string[]): ReadonlyMap<string, CheckResult> | null {
  try {
    const records = text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as CheckResult & { readonly type: string });
    const wanted = records.filter(({ type, id }) => type === 'check' && ids.includes(id));
    if (wanted.length < ids.length || records.at(-1)?.type !== 'summary') return null;
    return new Map(wanted.map(({ type: _, ...result }) => [result.id, result]));
  } catch {
    return null;
  }
}

/** Waits for the other process, and does it here where that failed. */
export const awaited = (check: Check, elsewhere: Elsewhere): Check => ({
  ...check,
  run: async (context) => (await elsewhere)?.get(check.id) ?? check.run(context),
});
