/** The authors' values as a table and as commands that `finetune` takes. */
import { afterAll, describe, expect, it } from 'vitest';
import { marsgrad, Workspace } from './command.ts';

const workspace = new Workspace();
afterAll(() => workspace.remove());

interface Line {
  readonly method: string;
  readonly extractor: number | null;
  readonly classifier: number | null;
  readonly command: string;
}
const linesOf = (record: unknown): Line[] => (record as { recipes: { lines: Line[] }[] }).recipes[0]!.lines;

describe('recipe', () => {
  it('lists the data sets', async () => {
    const { code, stdout } = await marsgrad(['recipe']);
    expect(code).toBe(0);
    for (const name of ['aircraft', 'butterfly', 'caltech', 'dtd', 'flowers', 'pets', 'pubfig'])
      expect(stdout).toMatch(new RegExp(`^${name} `, 'm'));
  });

  it('prints values, stated accuracies, remarks and commands', async () => {
    const { code, stdout } = await marsgrad(['recipe', 'pets', '--network', 'resnet101']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^mars-pgm +radius +13\.95 +17\.09 +–$/m);
    expect(stdout).toContain('l2-sp: the values of flowers to the last digit: copied, not tuned.');
    expect(stdout).toContain('l2-pgm: the extractor');
    expect(stdout).not.toContain('EfficientNet');
    const flowers = await marsgrad(['recipe', 'vgg-flowers']);
    expect(flowers.stdout).toMatch(/^mars-pgm +radius +6\.581 +7\.614 +87\.42 %$/m);
    expect(flowers.stdout).toContain('flowers, enb0');
    expect(flowers.stdout).toContain('--depthwise-rows kernel');
  });

  it('gives full digits to machines, with the places that were named', async () => {
    const { records } = await marsgrad(['recipe', 'dtd', '--network', 'enb0', '--data', 'my photos', '--json']);
    const lines = linesOf(records[0]);
    expect(lines.map(({ method }) => method)).toEqual(['none', 'delta', 'l2-sp', 'mars-sp', 'l2-pgm', 'mars-pgm']);
    const { extractor, classifier, command } = lines[5]!;
    expect(extractor).toBeCloseTo(9.939, 3);
    expect(command).toContain(`--reg-extractor ${extractor} --reg-classifier ${classifier} `);
    expect(command).toContain("--dataset 'my photos'");
  });

  it('its commands are what finetune takes', async () => {
    const { records } = await marsgrad([
      'recipe',
      'caltech',
      '--weights',
      'none.pth',
      '--data',
      workspace.root,
      '--json',
    ]);
    for (const { command } of linesOf(records[0])) {
      const outcome = await marsgrad(command.split(' ').slice(1));
      // Every option is understood; what stops it is the file that is not there.
      expect(outcome.code).toBe(1);
      expect(outcome.stderr).toContain('none.pth');
    }
  });

  it('suggests the name that was meant', async () => {
    const { code, stderr } = await marsgrad(['recipe', 'flower']);
    expect(code).toBe(2);
    expect(stderr).toContain('Did you mean "flowers"?');
  });
});
