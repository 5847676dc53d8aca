/** Honest runs pass: what fails an audit must be a fault. The other methods: `test/long/honestRuns.test.ts`. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checks } from '../../../src/audit/checks/index.ts';
import { audit, failuresOf, Lab } from './lab.ts';
import { FEW } from './methods.ts';

const lab = new Lab();
beforeAll(() => lab.open(), 120_000);
afterAll(() => lab.remove());

describe('an honest run', () => {
  it.each(FEW)('of %s passes', async (name, options) => {
    const run = await lab.finetune(name.replaceAll(/\W+/g, '-'), options);
    const report = await audit(
      run,
      checks.map(({ id }) => id),
    );
    expect(failuresOf(report)).toEqual([]);
    expect(report.verdict).toBe('pass');
  });
});
