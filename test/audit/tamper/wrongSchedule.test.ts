/** A run whose learning rates are a step early: made so, with all its digests right. */
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type * as Settings from '../../../src/cli/settings.ts';
import { audit, expectFailure, expectOnly, Lab } from './lab.ts';

const fault = vi.hoisted(() => ({ steps: 0 }));
vi.mock('../../../src/cli/settings.ts', async (importOriginal) => {
  const original = await importOriginal<typeof Settings>();
  const scheduleOf: typeof original.scheduleOf = (...args) => {
    const schedule = original.scheduleOf(...args);
    return (step) => schedule(step + fault.steps);
  };
  return { ...original, scheduleOf };
});

const lab = new Lab();
beforeAll(() => lab.open(), 120_000);
afterAll(() => lab.remove());

it('a schedule off by one step is told as that', async () => {
  fault.steps = 1;
  const run = await lab.finetune('early', ['--schedule', 'cosine', '--epochs', '3']);
  const report = await audit(run, ['log-chain', 'schedule', 'update']);
  expectOnly(report, 'schedule');
  expectFailure(report, 'schedule', /off by 1 step: every learning rate is that of the step 1 later/);
  expectFailure(report, 'schedule', /step 1 had the learning rate 0\.04\d+; cosine gives 0\.05/);
  fault.steps = 0;
  const honest = await lab.finetune('right', ['--schedule', 'cosine', '--epochs', '3']);
  expect((await audit(honest, ['schedule'])).verdict).toBe('pass');
});
