/** Every wrong input is answered by one line that says what is wrong, and by exit code 1 or 2. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asFloat32 } from '../../src/cli/weights.ts';
import { ReferenceDevice } from '../../src/devices/reference/device.ts';
import { writeSafetensors } from '../../src/io/index.ts';
import { createModel } from '../../src/nn/index.ts';
import { marsgrad, Workspace } from './command.ts';

const workspace = new Workspace();
let photos: string;
let weights: string;

beforeAll(async () => {
  photos = await workspace.images('photos', ['cat', 'dog'], { train: 3, test: 2 });
  const model = createModel('resnet20', { classes: 2, device: new ReferenceDevice() });
  weights = workspace.path('weights.safetensors');
  writeFileSync(weights, writeSafetensors(asFloat32(await model.stateDict())));
});
afterAll(() => workspace.remove());

const evaluate = (options: readonly string[]) =>
  marsgrad(['evaluate', '--network', 'resnet20', '--device', 'cpu', ...options]);
const finetune = (options: readonly string[]) =>
  marsgrad([
    'finetune',
    ...[
      '--network',
      'resnet20',
      '--weights',
      weights,
      '--dataset',
      photos,
      '--image-size',
      '8',
      '--device',
      'cpu',
      '--epochs',
      '1',
    ],
    ...['--out', workspace.path('run'), ...options],
  ]);

/** The line that says what is wrong; others (the device, the data set) may precede it. */
function errorOf({ stderr }: { stderr: string }): string {
  const lines = stderr.split('\n').filter((line) => line.startsWith('error: '));
  expect(lines, stderr).toHaveLength(1);
  expect(stderr).not.toMatch(/^\s+at /m);
  return lines[0]!;
}

async function expectError(outcome: ReturnType<typeof marsgrad>, code: number, message: RegExp): Promise<void> {
  const result = await outcome;
  expect(errorOf(result)).toMatch(message);
  expect(result.code).toBe(code);
  expect(result.stdout).toBe('');
}

describe('weights', () => {
  it('that are not there', () =>
    expectError(evaluate(['--weights', 'absent.th', '--dataset', photos]), 1, /absent\.th: there is no such file/));

  it('that are cut off', async () => {
    const cut = workspace.path('cut.safetensors');
    const bytes = readFileSync(weights);
    writeFileSync(cut, bytes.subarray(0, bytes.length - 100));
    await expectError(evaluate(['--weights', cut, '--dataset', photos]), 1, /cut\.safetensors: is truncated/);
  });

  it('whose metadata means something else', async () => {
    const model = createModel('resnet20', { classes: 2, device: new ReferenceDevice() });
    const foreign = workspace.path('foreign.safetensors');
    writeFileSync(foreign, writeSafetensors(asFloat32(await model.stateDict()), { classes: 'cat and dog' }));
    await expectError(
      evaluate(['--weights', foreign, '--dataset', photos]),
      1,
      /foreign\.safetensors: its metadata 'classes'/,
    );
  });

  it('whose pickle would run a program', () => {
    const malicious = join(import.meta.dirname, '../golden/io/malicious.pt');
    return expectError(evaluate(['--weights', malicious, '--dataset', photos]), 1, /malicious\.pt.*(os|posix)\.system/);
  });

  it('of another network', () =>
    expectError(
      marsgrad(['evaluate', '--network', 'resnet32', '--weights', weights, '--dataset', photos, '--device', 'cpu']),
      1,
      /weights\.safetensors does not fit resnet32\. .*layer1\.3\.conv1\.weight/,
    ));

  it('for another number of classes', () =>
    expectError(
      evaluate(['--weights', weights, '--dataset', workspace.path('three')]),
      1,
      /tells 2 classes apart, but .*three has 3: a, b, c\./,
    ));

  beforeAll(() => workspace.images('three', ['a', 'b', 'c'], { train: 1, test: 1 }));
});

describe('data', () => {
  it('that has a typing error in its name', () =>
    expectError(evaluate(['--weights', weights, '--dataset', 'cifar01']), 1, /"cifar01"\. Did you mean "cifar10"\?/));

  it('with an image that is none', async () => {
    const folder = await workspace.images('broken', ['cat', 'dog'], { train: 1, test: 1 });
    writeFileSync(join(folder, 'train', 'dog', 'note.png'), 'this is text');
    await expectError(finetune(['--dataset', folder]), 1, /note\.png cannot be decoded as an image/);
  });

  it('without the class that was asked for', () =>
    expectError(finetune(['--classes', 'cat,dgo']), 1, /has no class "dgo"\. Did you mean "dog"\?/));

  it('with too few images of a class', () =>
    expectError(finetune(['--train-per-class', '4']), 1, /4 images per class were asked for, but class "cat" has 3/));
});

describe('options', () => {
  it.each([
    [['--network', 'resnet200'], /--network.*Did you mean "resnet20"\?/],
    [['--radius-extractor', '-1'], /--radius-extractor.*A radius is a number ≥ 0/],
    [['--epochs', 'many'], /--epochs.*a whole number ≥ 1/],
    [['--epochs', '0'], /--epochs.*a whole number ≥ 1/],
    [['--lr', 'fast'], /--lr.*a number ≥ 0/],
    [['--label-noise', '1.5'], /--label-noise.*from 0 to 1/],
    [['--device', 'gpu'], /--device.*Choose one of: auto, webgpu, cpu, reference/],
    [['--methd', 'none'], /unknown option '--methd'/],
    [['--method', 'mars-pgm'], /needs --radius-extractor and --radius-classifier/],
    [['--radius-extractor', '1'], /is of a ball \(--method mars-pgm or l2-pgm\), but the method is none/],
    [['--warmup', '1'], /--warmup 1 leaves nothing of 1 epochs/],
    [['--mean', '1,2'], /--mean.*three numbers/],
    [['--resume', 'somewhere'], /--resume goes on with the run's own settings; leave out --network/],
  ])('%j', (options, message) => expectError(finetune(options), 2, message));

  it('that are missing', async () => {
    await expectError(marsgrad(['finetune', '--dataset', photos]), 2, /finetune needs --weights/);
    await expectError(marsgrad(['evaluate', '--weights', weights, '--dataset', photos]), 2, /evaluate needs --network/);
    await expectError(marsgrad(['train', '--network', 'resnet20']), 2, /train needs --dataset/);
  });

  it('--out that holds something', async () => {
    mkdirSync(workspace.path('full'));
    writeFileSync(workspace.path('full', 'thesis.txt'), '');
    await expectError(finetune(['--out', workspace.path('full')]), 2, /full exists and is not empty/);
  });

  it('--resume of what is no run', () =>
    expectError(marsgrad(['train', '--resume', workspace.path('photos')]), 2, /photos is no run folder/));

  it('a command that there is not', () => expectError(marsgrad(['finetun']), 2, /unknown command 'finetun'/));
});

describe('a loss that overflows', () => {
  it('ends the run and names the step', () =>
    expectError(
      finetune(['--lr', '1e30', '--schedule', 'constant', '--batch-size', '2']),
      1,
      /The loss is NaN at step \d+/,
    ));
});

describe('--debug', () => {
  it('adds the stack', async () => {
    const { stderr } = await evaluate(['--weights', 'absent.th', '--dataset', photos, '--debug']);
    expect(stderr).toMatch(/^\s+at /m);
  });
});
