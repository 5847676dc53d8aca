/** `--dashboard`: the report of what is being made, live on this machine. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import type { LiveState } from '../report/node/index.ts';
import { InterruptedError } from './errors.ts';
import type { Output } from './output.ts';
import { wholeNumber } from './parse.ts';

/** Where nothing else is said. */
const DEFAULT_PORT = 7878;

export interface DashboardOption {
  readonly dashboard?: number;
}

export const dashboardOption = (): Option =>
  new Option(
    '--dashboard [port]',
    `the report, live at http://127.0.0.1:${DEFAULT_PORT} (where that is taken: the next)`,
  )
    .argParser(wholeNumber(0))
    .preset(String(DEFAULT_PORT));

/**
 * Does `work`, which writes run folders at or below `path`, with the page beside it where a port is given. The page reads those folders and
 * has no other part in it: that it cannot be served, or is closed, changes nothing.
 */
export async function withDashboard<T>(
  port: number | undefined,
  path: string,
  output: Output,
  work: () => Promise<T>,
): Promise<T> {
  if (port === undefined) return work();
  const page = await serve(port, path, output);
  let state: Exclude<LiveState, 'live'> = 'failed';
  try {
    const result = await work();
    state = 'finished';
    return result;
  } catch (error) {
    if (error instanceof InterruptedError) state = 'interrupted';
    throw error;
  } finally {
    await page?.close(state);
  }
}

async function serve(port: number, path: string, output: Output) {
  const { startDashboard } = await import('../report/node/index.ts');
  // Commands offer the option that stands above; here their options are looked up.
  const { renderReport } = await import('./renderReport.ts');
  const render = (state: LiveState) =>
    renderReport(existsSync(path) ? [path] : [], { hasImages: state !== 'live', onMessage: () => {}, state });
  try {
    const dashboard = await startDashboard({ port, render, stamp: () => stampOf(path) });
    output.message(`Dashboard: ${dashboard.url}`);
    return dashboard;
  } catch (error) {
    output.message(`There is no dashboard: ${(error as Error).message}.`);
    return null;
  }
}

/** Changes with every line that a run or a search logs. */
function stampOf(path: string): string {
  if (!existsSync(path)) return '';
  const logs = ['log.ndjson', 'trials.ndjson'].map((name) => join(path, name)).filter((file) => existsSync(file));
  const own = logs.map((file) => `${file} ${statSync(file).size}`);
  if (logs.length > 0) return own.join('\n');
  const inside = readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return inside.map(({ name }) => stampOf(join(path, name))).join('\n');
}
