/** A real recorded run on tiny images, and a report on it whose checks are made up: what they find is not the subject here. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StepFile } from '../../../src/audit/format.ts';
import type { LaunchError } from '../../../src/audit/pageData.ts';
import type { AuditReport, CheckResult } from '../../../src/audit/verdict.ts';
import { kernels } from '../../../src/kernels/index.ts';
import type { AuditPageMaterial } from '../../../src/report/node/audit/page.ts';
import { marsgrad, type Workspace } from '../../cli/command.ts';

/** Trains a ResNet-20 for two epochs and records its first and last step; the folder's path. */
export async function recordedRun(workspace: Workspace): Promise<string> {
  const images = await workspace.images('animals', ['cat', 'dog & <i>wolf'], { train: 6, test: 2 });
  const out = workspace.path('run');
  const method = ['--method', 'mars-pgm', '--radius-extractor', '0.5', '--radius-classifier', '2'];
  const tiny = ['--image-size', '8', '--batch-size', '4', '--epochs', '2', '--device', 'cpu', '--json'];
  const args = ['finetune', '--network', 'resnet20', '--random-init', '--dataset', images, '--lr', '0.05'];
  const { code, stderr } = await marsgrad([...args, ...tiny, ...method, '--record', 'first,last', '--out', out]);
  if (code !== 0) throw new Error(stderr);
  return out;
}

export function materialOf(run: string): AuditPageMaterial {
  const json = (name: string) => JSON.parse(readFileSync(join(run, name), 'utf8'));
  const log = readFileSync(join(run, 'log.ndjson'), 'utf8').trimEnd().split('\n');
  const folders = readdirSync(join(run, 'record')).sort();
  return {
    steps: folders.map((folder) => json(join('record', folder, 'step.json')) as StepFile),
    history: log.map((line) => JSON.parse(line)).filter(({ type }) => type === 'distances'),
    distances: json('distances.json'),
    hasRelativeRadii: false,
    digests: { config: 'c'.repeat(64), log: 'd'.repeat(64) },
  };
}

/** Every written buffer of every launch: half of its tolerance away, but `broken` of the last step ten times as far as it may be. */
export function errorsOf(steps: readonly StepFile[], broken?: number): LaunchError[] {
  return steps.flatMap(({ step, launches }, s) =>
    launches.flatMap(({ index, kernel, buffers }) =>
      Object.entries(buffers)
        .filter(([, { access }]) => access !== 'read')
        .map(([buffer]): LaunchError => {
          const { tolerance } = kernels.get(kernel)!;
          const isBroken = index === broken && s === steps.length - 1;
          const ulps = Array.from({ length: 19 }, (_, i) => (tolerance === 0 ? Number(i === 0) : Math.max(0, 10 - i)));
          const worst = { index: 3, got: 0.25, expected: 0.2500001 };
          return {
            step,
            launch: index,
            kernel,
            buffer,
            error: isBroken ? 1e-4 : tolerance / 2,
            tolerance,
            ulps,
            worst,
          };
        }),
    ),
  );
}

const check = (id: string, title: string, question: string, rest: Partial<CheckResult> = {}): CheckResult => ({
  ...{ id, title, question, status: 'pass', summary: 'Nothing was found.', findings: [], seconds: 0.5 },
  ...rest,
});

export function reportOn(run: string, { steps }: AuditPageMaterial, broken?: number): AuditReport {
  const launches = errorsOf(steps, broken);
  const place = `step 6, launch ${broken}, y`;
  const findings = [{ status: 'fail', place, message: 'is beyond the tolerance', value: 1e-4, limit: 1e-5 }] as const;
  const note = { status: 'note', place: 'test/dog & <i>wolf/1.png', message: 'looks like <b>another</b>' } as const;
  const tables = [{ title: 'Pairs', columns: ['test image', 'distance'], rows: [['<script>alert(1)</script>', 4]] }];
  return {
    format: 1,
    run,
    marsgrad: '0.1.0',
    auditedAt: '2026-11-26T09:00:00.000Z',
    verdict: broken === undefined ? 'pass' : 'fail',
    checks: [
      check('log-chain', 'The log', 'Was the log changed after the run?'),
      check('replay', 'Every launch', 'Did each kernel compute what its definition says?', {
        status: broken === undefined ? 'pass' : 'fail',
        findings: broken === undefined ? [] : findings,
        data: { launches: launches as never, layers: [{ layer: 'conv1', values: { 'gradient error': 2.5e-7 } }] },
      }),
      check('split', 'Test images', 'Is a test image among the training images?', {
        findings: [note],
        data: { tables },
      }),
      check('rerun', 'The run again', 'Does it give the same bytes?', { status: 'skipped', summary: 'Not asked for.' }),
    ],
    facts: {
      network: 'resnet20',
      method: 'mars-pgm',
      dataset: 'animals',
      classes: ['cat', 'dog & <i>wolf'],
      device: { kind: 'cpu', name: 'WASM SIMD' },
      marsgrad: '0.1.0',
      startedAt: '2026-11-25T08:00:00.000Z',
      epochs: 2,
      steps: 6,
      recordedSteps: steps.map(({ step }) => step),
      accuracy: 0.75,
    },
    seconds: 3,
  };
}
