/** Kills of `sweep` in one process, and of `tune`: what test/cli/sweep.test.ts does with workers. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Workspace } from '../cli/command.ts';
import { asArguments, killedIsAsWhole, STUDY, tinyBase, writeRecipe } from '../cli/study.ts';

const workspace = new Workspace();
let base: Awaited<ReturnType<typeof tinyBase>>;
beforeAll(async () => {
  base = await tinyBase(workspace);
}, 60_000);
afterAll(() => workspace.remove());

it('of sweep loses the current epoch at most, and changes no bit', async () => {
  const recipe = { base, ...STUDY, tasks: { one: { 'train-per-class': 6, epochs: 16 } }, seeds: [0] };
  const path = writeRecipe(workspace, 'lengthy', recipe);
  expect.hasAssertions();
  await killedIsAsWhole(
    workspace,
    ['sweep', path, '--device', 'cpu'],
    ['one/mars-pgm/tune/trial-001', 'one/none/seed-0'],
  );
});

it('of tune does neither', async () => {
  const options = asArguments({ ...base, 'evaluate-every': 1, epochs: 30 });
  expect.hasAssertions();
  await killedIsAsWhole(
    workspace,
    ['tune', ...options, '--space', 'lr=0.01..0.1', '--max-evals', '3', '--device', 'cpu'],
    ['trial-001'],
  );
});
