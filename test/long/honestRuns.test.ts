/** Honest runs of every method pass every check, replay included: no false alarm. DELTA needs weights to start from. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditFolder } from '../../src/cli/auditFolder.ts';
import { failuresOf, Lab } from '../audit/tamper/lab.ts';
import { ALL } from '../audit/tamper/methods.ts';
import { marsgrad } from '../cli/command.ts';

const lab = new Lab();
beforeAll(() => lab.open(), 120_000);
afterAll(() => lab.remove());

async function expectHonest(run: string): Promise<void> {
  const report = await auditFolder(run);
  expect(failuresOf(report)).toEqual([]);
  expect(report.verdict).toBe('pass');
}

describe('an honest run', () => {
  it.each(ALL)('of %s passes', async (name, options) => {
    await expectHonest(await lab.finetune(name.replaceAll(/\W+/g, '-'), options));
  });

  it('of delta passes', async () => {
    const source = await lab.finetune('source', ['--record', 'none']);
    const out = lab.path('delta');
    const what = [
      'finetune',
      '--network',
      'resnet20',
      '--weights',
      `${source}/weights.safetensors`,
      '--dataset',
      lab.dataset,
    ];
    const how = [
      '--method',
      'delta',
      '--reg-extractor',
      '0.01',
      '--reg-classifier',
      '0.01',
      '--delta-weights',
      'uniform',
    ];
    const tiny = ['--epochs', '2', '--image-size', '8', '--batch-size', '4', '--device', 'cpu', '--json', '--out', out];
    const { code, stderr } = await marsgrad([...what, ...how, ...tiny]);
    expect(code, stderr).toBe(0);
    await expectHonest(out);
  });
});
