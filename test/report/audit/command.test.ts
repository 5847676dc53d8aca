/** `marsgrad audit --html`: the page of a real audit, of a whole run and of a damaged one. */
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { marsgrad, Workspace } from '../../cli/command.ts';
import { recordedRun } from './fixture.ts';

const workspace = new Workspace();
let run: string;

beforeAll(async () => {
  run = await recordedRun(workspace);
}, 60_000);
afterAll(() => workspace.remove());

const ONLY = ['--only', 'record,log-chain,continuity,kernels,distances', '--steps', '1'];

it('writes the page, with every launch that was replayed', async () => {
  const file = workspace.path('audit.html');
  const { code, stderr } = await marsgrad(['audit', run, ...ONLY, '--html', file]);
  expect(code, stderr).toBe(0);
  expect(stderr).toContain(`The page: ${file}`);
  const html = readFileSync(file, 'utf8');
  expect(html).toContain('<title>Passed: audit of ');
  expect(html.length).toBeLessThan(3e6);
  const { launches } = JSON.parse(readFileSync(join(run, 'record/step-000001/step.json'), 'utf8'));
  expect(html.match(/<a class="launch \w+ good"/g)!.length).toBe(launches.length);
  expect(html).not.toContain('<a class="launch forward bad"');
  expect(html).toContain('id="distance-history"');
});

it('writes it of a damaged folder too, and ends with 1', async () => {
  const damaged = workspace.path('damaged');
  cpSync(run, damaged, { recursive: true });
  for (const name of ['distances.json', 'record/step-000006/step.json']) writeFileSync(join(damaged, name), '{"a":');
  const log = readFileSync(join(damaged, 'log.ndjson'), 'utf8').split('\n');
  writeFileSync(join(damaged, 'log.ndjson'), ['{"type":"distances","layers":[7]}', '[]', ...log.slice(1)].join('\n'));
  const file = workspace.path('damaged.html');
  const { code } = await marsgrad(['audit', damaged, '--only', 'record,log-chain', '--html', file]);
  expect(code).toBe(1);
  const html = readFileSync(file, 'utf8');
  expect(html).toContain('<title>Failed: audit of ');
  expect(html).toContain('record/step-000006');
});

it('says at once where the page cannot be written', async () => {
  const { code, stderr } = await marsgrad(['audit', run, '--html', workspace.path('nowhere', 'audit.html')]);
  expect(code).not.toBe(0);
  expect(stderr).toContain('there is no folder');
  expect(existsSync(workspace.path('nowhere'))).toBe(false);
});
