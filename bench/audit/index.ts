/**
 * npm run bench:audit [-- --epochs N --rounds N --record STEPS]: what an audit costs. The main job in its ball, with and without a record (by default
 * first,last) in turn: time by the clock and of all processor cores; then an audit of the last recorded one, check by check.
 */
import '../../src/devices/node.ts';
import '../../src/ops/methods.ts';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseRecordPlan } from '../../src/audit/format.ts';
import { auditFolder } from '../../src/cli/auditFolder.ts';
import { mainJob } from '../../src/cli/mainJob.ts';
import { Output } from '../../src/cli/output.ts';
import { startRun } from '../../src/cli/trainingRun.ts';
import { machineFacts } from '../machine.ts';
import { median } from '../statistics.ts';
import { table } from '../table.ts';

const { values } = parseArgs({
  options: {
    epochs: { type: 'string' },
    rounds: { type: 'string' },
    device: { type: 'string' },
    record: { type: 'string' },
  },
});
const ROUNDS = Number(values.rounds ?? 5);
const SETTINGS = { ...mainJob('mars-pgm', 0), ...(values.epochs && { epochs: Number(values.epochs) }) };
const device = (values.device ?? 'auto') as 'auto';
const RECORDS = ['none', values.record ?? 'first,last'] as const;

const folder = mkdtempSync(join(tmpdir(), 'marsgrad-bench-'));
const nowhere = { write: () => true } as unknown as NodeJS.WriteStream & { fd: 1 & 2 };
const output = new Output(false, { stdout: nowhere, stderr: nowhere }, true);

interface Cost {
  readonly seconds: number;
  readonly coreSeconds: number;
}

async function costOf(body: () => Promise<unknown>): Promise<Cost> {
  const [clock, processor] = [performance.now(), process.cpuUsage()];
  await body();
  const { user, system } = process.cpuUsage(processor);
  return { seconds: (performance.now() - clock) / 1000, coreSeconds: (user + system) / 1e6 };
}

const run = (out: string, record: string): Promise<unknown> =>
  startRun({
    settings: SETTINGS,
    device: { device },
    out,
    output,
    signal: new AbortController().signal,
    record: parseRecordPlan(record),
  });

const bytesBelow = (path: string): number =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

async function recording(): Promise<string> {
  const costs: Record<string, Cost[]> = Object.fromEntries(RECORDS.map((record) => [record, []]));
  let last = '';
  for (let round = 0; round <= ROUNDS; round++) {
    for (const record of RECORDS) {
      const out = join(folder, `${record === 'none' ? 'plain' : 'recorded'}-${round}`);
      const cost = await costOf(() => run(out, record));
      // The first round warms caches and compilers up.
      if (round > 0) costs[record]!.push(cost);
      if (last !== '' && record === 'none') rmSync(last, { recursive: true });
      if (record !== 'none') last = out;
    }
  }
  const of = (record: string, key: keyof Cost) => median(costs[record]!.map((cost) => cost[key]));
  const rows = RECORDS.map((record) => [
    record,
    ...(['seconds', 'coreSeconds'] as const).flatMap((key) => [
      of(record, key).toFixed(2),
      `${(100 * (of(record, key) / of('none', key) - 1)).toFixed(1)} %`,
    ]),
  ]);
  process.stdout.write(`${table(['record', 'seconds', 'more', 'core seconds', 'more'], rows)}\n`);
  process.stdout.write(`The record takes ${(bytesBelow(join(last, 'record')) / 2 ** 20).toFixed(1)} MiB.\n\n`);
  return last;
}

async function auditing(path: string): Promise<void> {
  let before = process.cpuUsage();
  const rows: string[][] = [];
  const report = await auditFolder(path, {
    onResult: ({ id, status, seconds }) => {
      const { user, system } = process.cpuUsage(before);
      before = process.cpuUsage();
      process.stderr.write(`${id} ${((user + system) / 1e6).toFixed(1)}\n`);
      rows.push([id, status, seconds.toFixed(1), ((user + system) / 1e6).toFixed(1)]);
    },
  });
  const total = ['all', report.verdict, report.seconds.toFixed(1), ''];
  process.stdout.write(`${table(['check', '', 'seconds', 'core seconds'], [...rows, total])}\n`);
}

try {
  const job = `The main job in its ball, ${SETTINGS.epochs} epochs, medians of ${ROUNDS} runs each`;
  process.stdout.write(`${JSON.stringify(machineFacts())}\n${job}\n\n`);
  await auditing(await recording());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
