/** An honest run of every method passes the audit: what fails one must be a fault. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditFolder } from '../../../src/cli/auditFolder.ts';
import { marsgrad, Workspace } from '../../cli/command.ts';

const workspace = new Workspace();
let animals: string;
let source: string;
const TINY = ['--image-size', '8', '--batch-size', '4', '--device', 'cpu', '--json'];

beforeAll(async () => {
  const colours = await workspace.images('colours', ['red', 'green', 'blue'], { train: 4, test: 2 });
  animals = await workspace.images('animals', ['cat', 'dog'], { train: 6, val: 2, test: 3 });
  const args = ['train', '--network', 'resnet20', '--dataset', colours, '--epochs', '1', '--lr', '0.01', '--record', 'none'];
  const { code, stderr } = await marsgrad([...args, '--out', workspace.path('source'), ...TINY]);
  expect(code, stderr).toBe(0);
  source = workspace.path('source', 'weights.safetensors');
}, 120_000);
afterAll(() => workspace.remove());

const RUNS: readonly [name: string, options: readonly string[]][] = [
  ['none', []],
  ['mars-pgm', ['--method', 'mars-pgm', '--radius-extractor', '0.5', '--radius-classifier', '2']],
];

describe('an honest run', () => {
  it.each(RUNS)('of %s passes', async (name, options) => {
    const out = workspace.path(name);
    const args = ['finetune', '--network', 'resnet20', '--weights', source, '--dataset', animals, '--epochs', '2', '--lr', '0.05'];
    const { code, stderr } = await marsgrad([...args, ...TINY, ...options, '--out', out]);
    expect(code, stderr).toBe(0);
    const report = await auditFolder(out);
    for (const check of report.checks) console.log(check.id, check.status, check.seconds.toFixed(2), check.summary, JSON.stringify(check.findings.slice(0, 4)));
    expect(report.verdict).toBe('pass');
  });
});
