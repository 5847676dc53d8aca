/** `marsgrad report` over real, tiny runs, and its page in headless Chromium. */
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { marsgrad, Workspace } from '../cli/command.ts';
import { findChromium } from '../setup/chromium.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const workspace = new Workspace();
const CLASSES = ['<b>cat</b>', 'dog & "co"'];
const TINY = [
  '--network',
  'resnet20',
  '--random-init',
  '--image-size',
  '8',
  '--batch-size',
  '8',
  '--epochs',
  '2',
  '--threads',
  '1',
];
const METHODS: Readonly<Record<string, readonly string[]>> = {
  none: [],
  'l2-sp': ['--reg-extractor', '0.01', '--reg-classifier', '0.01'],
  'mars-pgm': ['--radius-extractor', '0.2', '--radius-classifier', '2'],
};
let browser: Browser;
let text: string;

const read = (...path: string[]) => readFileSync(workspace.path(...path), 'utf8');

beforeAll(async () => {
  const data = await workspace.images('animals', CLASSES, { train: 8, val: 2, test: 4 });
  for (const [method, options] of Object.entries(METHODS)) {
    for (const seed of [0, 1]) {
      const out = workspace.path('runs', `${method}-${seed}`);
      const args = [
        'finetune',
        '--dataset',
        data,
        '--method',
        method,
        ...options,
        '--seed',
        String(seed),
        '--out',
        out,
      ];
      const { code, stderr } = await marsgrad([...args, ...TINY, '--device', 'cpu']);
      expect(code, stderr).toBe(0);
    }
  }
  const { code, stderr } = await marsgrad(['report', workspace.path('runs')]);
  expect(code, stderr).toBe(0);
  text = read('runs', 'report.html');
  browser = await chromium.launch({
    executablePath: findChromium()!,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}, 120_000);

afterAll(async () => {
  await browser?.close();
  workspace.remove();
});

/** What the page said to the console, and asked for beside itself. */
async function open(path: string, colorScheme: 'light' | 'dark' = 'light') {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1000, height: 800 } });
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (request) => {
    if (!/^(file|data):/.test(request.url())) complaints.push(request.url());
  });
  await page.goto(`file://${path}`);
  return { page, complaints };
}

describe('the page', () => {
  let page: Page;
  let complaints: string[];
  beforeAll(async () => {
    ({ page, complaints } = await open(workspace.path('runs', 'report.html')));
  });

  it('opens without an error and without asking anyone for anything', async () => {
    expect(complaints).toEqual([]);
    expect(await page.title()).toBe('resnet20 fine-tuned on animals');
  });

  it('has its sections in order, the result first', async () => {
    const titles = await page.locator('h2').allTextContents();
    expect(titles).toEqual([
      'Result',
      'Learning curves',
      'How far the weights moved',
      'What it gets wrong',
      'To repeat this',
    ]);
    expect(await page.locator('.verdict .headline').first().textContent()).toMatch(
      /comes out best of 3, with [\d.]+ ± [\d.]+ % over 2 seeds/,
    );
  });

  it("shows summarize's numbers", async () => {
    const { stdout } = await marsgrad(['summarize', workspace.path('runs'), '--format', 'markdown']);
    const rows = stdout.split('\n').filter((line) => /^\| (none|l2-sp|mars-pgm) /.test(line));
    const expected = rows.map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
    const table = page.locator('#result table').first();
    const shown = await table
      .locator('tbody tr')
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent)));
    expect(shown.map((row) => row.slice(0, 7))).toEqual(expected);
    expect(shown).toHaveLength(3);
    // Only the constraint has a distance/radius, and keeps it.
    expect(shown.map((row) => row[7]).slice(0, 2)).toEqual(['', '']);
    expect(Number(shown[2]![7])).toBeLessThanOrEqual(1.00001);
  });

  it('escapes the names of classes everywhere, and shows the images that are wrong', async () => {
    expect(text).not.toContain('<b>cat</b>');
    expect(text).toContain('&lt;b&gt;cat&lt;/b&gt;');
    const images = page.locator('.images img');
    const count = await images.count();
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(24);
    expect(await images.first().evaluate((image: HTMLImageElement) => [image.complete, image.naturalWidth])).toEqual([
      true,
      8,
    ]);
  });

  it('has for every picture a description, a table of its numbers that the keyboard opens', async () => {
    const pictures = page.locator('figure svg.plot');
    expect(await pictures.count()).toBeGreaterThanOrEqual(5);
    const labels = await pictures.evaluateAll((all) =>
      all.map((svg) => [svg.getAttribute('role'), svg.getAttribute('aria-label')!.length]),
    );
    for (const [role, length] of labels) expect([role, Number(length) > 20]).toEqual(['img', true]);
    const ids = await page.locator('[id]').evaluateAll((all) => all.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
    const details = page.locator('figure details').first();
    await details.locator('summary').focus();
    await page.keyboard.press('Enter');
    expect(await details.locator('table').isVisible()).toBe(true);
  });

  it("brings a series forward when its legend's entry is pressed", async () => {
    const entry = page.locator('#curves .legend button').nth(1);
    await entry.focus();
    await page.keyboard.press('Enter');
    expect(await entry.getAttribute('aria-pressed')).toBe('true');
    const figure = page.locator('#curves figure');
    expect(await figure.getAttribute('class')).toBe('picked');
    const lit = await figure
      .locator('.series.lit')
      .evaluateAll((all) => [...new Set(all.map((mark) => mark.classList.item(1)))]);
    expect(lit).toEqual(['s1']);
    await page.keyboard.press('Enter');
    await entry.evaluate((button: HTMLElement) => button.blur());
    expect(await figure.getAttribute('class')).toBe('');
  });

  it.each([
    ['light', 1000],
    ['dark', 1000],
    ['light', 390],
  ] as const)('keeps the rules of accessibility: %s, %i pixels wide', async (colorScheme, width) => {
    const { page: view } = await open(workspace.path('runs', 'report.html'), colorScheme);
    await view.setViewportSize({ width, height: 800 });
    expect(await violations(view)).toEqual([]);
    await view.close();
  });

  it('is light in print', async () => {
    await page.emulateMedia({ colorScheme: 'dark', media: 'print' });
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)');
    await page.emulateMedia({ colorScheme: 'light', media: 'screen' });
  });

  it('is narrower than a telephone', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
});

/** What axe-core finds against WCAG 2.1 AA and good practice. */
async function violations(view: Page): Promise<unknown[]> {
  await view.addScriptTag({ content: AXE });
  return view.evaluate(async () => {
    // What is inside of an image is presentation only, whatever labels Plot gave it.
    const places = { exclude: [['svg.plot > *']] };
    // @ts-expect-error what axe-core's script defines
    const found = await axe.run(places, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] });
    type Violation = {
      readonly id: string;
      readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
    };
    return found.violations.map(({ id, nodes }: Violation) => [
      id,
      nodes.slice(0, 2).map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`),
    ]);
  });
}

describe('the command', () => {
  it('makes a page of one run of 30 epochs below 3 MB', async () => {
    const run = workspace.path('long');
    cpSync(workspace.path('runs', 'mars-pgm-0'), run, { recursive: true });
    const lines = read('long', 'log.ndjson')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const [end, ...rest] = lines.reverse();
    const epochs = Array.from({ length: 15 }, (_, i) =>
      [...rest].reverse().map((line) => ({ ...line, epoch: line.epoch + 2 * i })),
    ).flat();
    writeFileSync(
      workspace.path('long', 'log.ndjson'),
      [...epochs, end].map((line) => JSON.stringify(line)).join('\n'),
    );
    const { code, records, stderr } = await marsgrad(['report', run, '--out', workspace.path('long.html'), '--json']);
    expect(code, stderr).toBe(0);
    const { bytes } = records[0] as { bytes: number };
    expect(statSync(workspace.path('long.html')).size).toBe(bytes);
    expect(bytes).toBeLessThan(3e6);
    expect(read('long.html')).toContain('Wilson');
    expect((await open(workspace.path('long.html'), 'dark')).complaints).toEqual([]);
  });

  it('tells a sweep, its searches and its recipe from its folders', async () => {
    const recipe = { name: 'Two tasks & more', tasks: {} };
    for (const task of ['few', 'many']) {
      for (const method of ['none', 'mars-pgm']) {
        for (const seed of [0, 1]) {
          const to = workspace.path('sweep', task, method, `seed-${seed}`);
          cpSync(workspace.path('runs', `${method}-${seed}`), to, { recursive: true });
        }
        const tune = workspace.path('sweep', task, method, 'tune');
        mkdirSync(tune);
        cpSync(workspace.path('runs', 'none-0'), workspace.path('sweep', task, method, 'tune', 'trial-0'), {
          recursive: true,
        });
        const trials = [0, 1, 2].map((trial) => ({
          trial,
          point: { lr: 10 ** -trial },
          status: trial === 1 ? 'pruned' : 'done',
          accuracy: trial / 10,
        }));
        const failed = { trial: 3, point: { lr: 9 }, status: 'failed', accuracy: null };
        writeFileSync(
          workspace.path('sweep', task, method, 'tune', 'trials.ndjson'),
          [...trials, failed].map((line) => JSON.stringify(line)).join('\n'),
        );
      }
    }
    writeFileSync(workspace.path('sweep', 'sweep.json'), JSON.stringify(recipe));
    const { code, stderr } = await marsgrad(['report', workspace.path('sweep')]);
    expect(code, stderr).toBe(0);
    const { page, complaints } = await open(workspace.path('sweep', 'report.html'));
    expect(complaints).toEqual([]);
    expect(await page.title()).toBe(recipe.name);
    expect(await page.locator('.verdict').first().textContent()).toMatch(/Highest mean accuracy, over 2 tasks/);
    expect(await page.locator('#result table').count()).toBe(4);
    const history = page.locator('#tuning figure').first();
    expect(await history.locator('svg').getAttribute('aria-label')).toBe(
      'Tuning history: few; best validation accuracy: none 20.0 %; mars-pgm 20.0 %',
    );
    expect(await history.locator('tbody tr').count()).toBe(8);
    expect(await page.locator('#repeat pre').first().textContent()).toBe(JSON.stringify(recipe));
  });

  it('draws sensitivity from factors', async () => {
    for (const factor of ['0.01', '1', '100']) {
      cpSync(
        workspace.path('runs', 'mars-pgm-0'),
        workspace.path('factors', 'mars-pgm', `factor-${factor}`, 'seed-0'),
        { recursive: true },
      );
    }
    const { code, stderr } = await marsgrad(['report', workspace.path('factors')]);
    expect(code, stderr).toBe(0);
    const { page, complaints } = await open(workspace.path('factors', 'report.html'));
    expect(complaints).toEqual([]);
    expect(await violations(page)).toEqual([]);
    const cells = await page.locator('#sensitivity tbody tr td:nth-child(2)').allTextContents();
    expect(cells).toEqual(['0.01', '1', '100']);
  });

  it('says where the images are gone, and makes the rest', async () => {
    renameSync(workspace.path('animals'), workspace.path('moved'));
    const out = workspace.path('gone.html');
    const { code, stderr } = await marsgrad(['report', workspace.path('runs', 'mars-pgm-0'), '--out', out]);
    renameSync(workspace.path('moved'), workspace.path('animals'));
    expect(code, stderr).toBe(0);
    expect(read('gone.html')).toMatch(/The images cannot be shown: There is no folder/);
    expect(read('gone.html')).toContain('Confusion matrix');
  });

  it('leaves out what is not complete, and says so', async () => {
    cpSync(workspace.path('runs'), workspace.path('cut'), { recursive: true });
    const log = read('cut', 'none-1', 'log.ndjson').trim().split('\n');
    writeFileSync(workspace.path('cut', 'none-1', 'log.ndjson'), `${log.slice(0, 2).join('\n')}\n{"type":"ep`);
    rmSync(workspace.path('cut', 'none-1', 'distances.json'));
    expect((await marsgrad(['report', workspace.path('cut')])).code).toBe(0);
    expect(read('cut', 'report.html')).toContain('1 run not complete: drawn in the curves, left out of the tables.');
  });

  it('refuses what is no run', async () => {
    const { code, stderr } = await marsgrad(['report', workspace.path('nowhere')]);
    expect([code, stderr]).toEqual([2, `error: There is no folder ${workspace.path('nowhere')}.\n`]);
    expect((await marsgrad(['report', workspace.path('animals')])).stderr).toContain('There is no run in');
    mkdirSync(workspace.path('older'));
    writeFileSync(workspace.path('older', 'config.json'), JSON.stringify({ settings: { optimizer: 'sgd' } }));
    expect((await marsgrad(['report', workspace.path('older')])).stderr).toContain('There is no run in');
    writeFileSync(workspace.path('older', 'log.ndjson'), '');
    expect((await marsgrad(['report', workspace.path('older')])).stderr).toContain(
      'is no run that this version can read',
    );
  });
});
