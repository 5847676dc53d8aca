/** The audit's page as a reader meets it: in a browser, by keyboard, in both themes, on paper, without a network. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LaunchError } from '../../../src/audit/pageData.ts';
import type { AuditReport } from '../../../src/audit/verdict.ts';
import { type AuditPageMaterial, auditPage } from '../../../src/report/node/audit/page.ts';
import { Workspace } from '../../cli/command.ts';
import { findChromium } from '../../setup/chromium.mjs';
import { materialOf, recordedRun, reportOn } from './fixture.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** A launch of the forward pass. */
const BROKEN = 7;

const workspace = new Workspace();
let browser: Browser;
let material: AuditPageMaterial;
let report: AuditReport;
let html: string;
let troubles: string[];

beforeAll(async () => {
  const executablePath = findChromium();
  if (!executablePath)
    throw new Error('There is no Chromium here: `node test/setup/install.mjs` installs it or says how.');
  const run = await recordedRun(workspace);
  material = materialOf(run);
  report = reportOn('runs/<first>', material);
  html = auditPage(report, material);
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  workspace.remove();
});

/** Opens the page; whatever it asks for or complains about lands in `troubles`. */
async function open(text: string, options: BrowserContextOptions = {}): Promise<Page> {
  const path = workspace.path('page.html');
  writeFileSync(path, text);
  const url = pathToFileURL(path).href;
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  troubles = [];
  page.on('console', (message) => troubles.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => troubles.push(`error: ${error.message}`));
  page.on('request', (request) => request.url() !== url && troubles.push(`request: ${request.url()}`));
  await page.goto(url);
  return page;
}

const mainText = (page: Page): Promise<string> => page.evaluate(() => document.body.innerText);

describe('the page', () => {
  it('asks for nothing, complains of nothing, is small, and has its verdict at the top', async () => {
    const page = await open(html);
    expect(html.length).toBeLessThan(3e6);
    expect(await page.title()).toBe('Passed: audit of runs/<first>');
    const box = page.locator('header .verdict');
    expect((await box.boundingBox())!.y).toBeLessThan(200);
    const verdict = await box.innerText();
    expect(verdict).toContain('All that could be checked holds; 1 check could not be made.');
    expect(verdict).toContain('What the run claims: on 2026-11-25, a neural network that classifies images (resnet20)');
    expect(verdict).toContain('75.00 % of the images kept for the final test');
    expect(verdict).toMatch(
      /of 2 recorded steps, all \d{3} operations were done again in 64-bit arithmetic.*uses 50 %/,
    );
    expect(await page.locator('#not-proved').innerText()).toContain('(4 of 6)');
    const checker = readFileSync(new URL('../../../docs/check_run.py', import.meta.url), 'utf8');
    expect(await page.locator('#facts pre').textContent()).toBe(checker);
    expect(troubles).toEqual([]);
    await page.close();
  });

  it('shows names as they are and never as markup', async () => {
    const page = await open(html);
    expect(await mainText(page)).toContain('dog & <i>wolf');
    await page.locator('#check-split summary').click();
    const found = await page.locator('#check-split').innerText();
    expect(found).toContain('looks like <b>another</b>');
    expect(found).toContain('<script>alert(1)</script>');
    expect(troubles).toEqual([]);
    await page.close();
  });

  it('has a row per check and per layer, errors of all launches, and the constraint over the epochs', async () => {
    const page = await open(html);
    expect(await page.locator('.checks > table > tbody > tr').count()).toBe(4);
    const answers = await page.locator('.checks .status').allInnerTexts();
    expect(answers).toEqual(['✓ holds', '✓ holds', '✓ holds', '– not checked']);
    const layers = await page.locator('#layers tbody tr').allInnerTexts();
    expect(layers).toHaveLength(material.distances.length);
    expect(layers[0]).toMatch(/^conv1\s+conv2d\s.*2\.500e-7$/s);
    const dots = await page.locator('#errors-of-step-1 svg circle').count();
    const results = material.steps[0]!.launches.flatMap(({ buffers }) =>
      Object.values(buffers).filter(({ access }) => access !== 'read'),
    );
    expect(dots).toBe(results.length);
    expect(await page.locator('#distance-history figcaption').innerText()).toMatch(
      /largest here is (0\.\d+|1\.00000\d)/,
    );
    await page.close();
  });

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
  ] as const)('keeps the rules of accessibility: %s, %i pixels wide', async (colorScheme, width) => {
    const page = await open(html, { colorScheme, viewport: { width, height: 900 } });
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBe(0);
    await page.addScriptTag({ content: AXE });
    const found = await page.evaluate(async () => {
      // What is inside of an image is presentation only, whatever labels Plot gave it.
      const places = { exclude: [['svg.plot > *']] };
      // @ts-expect-error what axe-core's script defines
      const { violations } = await axe.run(places, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] });
      return violations.map((one: { id: string; nodes: { html: string; failureSummary: string }[] }) => ({
        rule: one.id,
        nodes: one.nodes.slice(0, 2).map(({ html, failureSummary }) => `${html.slice(0, 120)} ${failureSummary}`),
      }));
    });
    expect(found).toEqual([]);
    await page.close();
  });

  it('is complete on paper: light, and nothing cut off', async () => {
    const page = await open(html, { colorScheme: 'dark' });
    await page.emulateMedia({ media: 'print' });
    const { background, cut } = await page.evaluate(() => ({
      background: getComputedStyle(document.body).backgroundColor,
      cut: [...document.querySelectorAll('.scroll')].filter((one) => one.clientHeight + 1 < one.scrollHeight).length,
    }));
    expect([background, cut]).toEqual(['rgb(255, 255, 255)', 0]);
    await page.close();
  });

  it('says without its script what it says with it, and boxes lead to the sources', async () => {
    const page = await open(html, { javaScriptEnabled: false });
    expect(await page.locator('header .verdict').innerText()).toContain('All that could be checked holds');
    const box = page.locator('a.launch').nth(BROKEN);
    const kernel = material.steps[0]!.launches[BROKEN]!.kernel;
    expect(await box.getAttribute('href')).toBe(`#kernel-${kernel}`);
    expect(await page.locator(`#kernel-${kernel} #wgsl-${kernel}`).count()).toBe(1);
    await page.close();
  });
});

describe('the tape', () => {
  it('is reached by Tab as one stop, walked by arrows, and Enter leads to all about a launch', async () => {
    const page = await open(html);
    await page.locator('#tape h2').evaluate((heading) => {
      heading.setAttribute('tabindex', '-1');
      (heading as HTMLElement).focus();
    });
    const launchInFocus = () => page.evaluate(() => document.activeElement?.getAttribute('data-launch') ?? null);
    await page.keyboard.press('Tab');
    const first = await launchInFocus();
    expect(first).toBe('1');
    await page.keyboard.press('ArrowDown');
    const second = Number(await launchInFocus());
    expect(second).toBeGreaterThan(1);
    await page.keyboard.press('ArrowUp');
    expect(await launchInFocus()).toBe(first);
    await page.keyboard.press('Enter');
    const details = page.locator('#launch-details');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Launch 1: conv2d');
    const text = await details.innerText();
    for (const part of ['conv2d in conv1', 'conv1.weight', '5.00e-6', 'within', 'Float64 reference', 'WGSL'])
      expect(text, part).toContain(part);
    expect(await details.locator('details[open] pre').innerText()).toContain('export const conv2d = defineKernel(');
    await details.locator('summary', { hasText: 'forward and backward' }).click();
    expect(await details.innerText()).toContain('function inputGradient(');
    expect(await page.locator('.flows path.out').count()).toBeGreaterThan(0);
    await page.keyboard.press('Tab');
    expect(await launchInFocus()).toBe(null);
    expect(troubles).toEqual([]);
    await page.close();
  });

  it('names the launch that fails, everywhere, and shows it first', async () => {
    const page = await open(auditPage(reportOn('runs/bad', material, BROKEN), material));
    expect(await page.title()).toBe('Failed: audit of runs/bad');
    expect(await page.locator('header .verdict').innerText()).toContain(
      'This run does not hold: 1 of 4 checks failed.',
    );
    expect(await page.locator('#failures').innerText()).toContain(`launch ${BROKEN}`);
    expect(await page.locator('#check-replay details').getAttribute('open')).not.toBe(null);
    expect(await page.locator('a.launch.bad').getAttribute('data-launch')).toBe(String(BROKEN));
    expect(await page.locator('#launch-details h3').innerText()).toContain(`Launch ${BROKEN}:`);
    expect(await page.locator('#launch-details').innerText()).toContain('beyond');
    expect(troubles).toEqual([]);
    await page.close();
  });
});

describe('what is not there', () => {
  it('is said: launches that were not replayed', () => {
    const [log, replay] = report.checks;
    const { launches } = replay!.data as unknown as { launches: LaunchError[] };
    const few = launches.filter(({ step, launch }) => step > 1 || launch < 10);
    const text = auditPage({ ...report, checks: [log!, { ...replay!, data: { launches: few } as never }] }, material);
    const made = material.steps.map((step) => step.launches.length);
    expect(text).toContain(
      `of 2 recorded steps, ${10 + made[1]!} of the ${made[0]! + made[1]!} operations were done again`,
    );
  });

  it('is left out: no records, no distances, no log', async () => {
    const bare = { ...material, steps: [], history: [], distances: [] };
    const { facts, checks } = report;
    const own = { ...facts, recordedSteps: [], steps: null, accuracy: null };
    const page = await open(auditPage({ ...report, facts: own, checks: checks.slice(0, 1) }, bare));
    const text = await mainText(page);
    expect(text).toContain('It did not come to its end');
    expect(text).toContain('none was recorded');
    expect(text).not.toContain('64-bit arithmetic');
    for (const id of ['tape', 'errors', 'layers', 'constraint', 'sources'])
      expect(await page.locator(`#${id}`).count(), id).toBe(0);
    expect(troubles).toEqual([]);
    await page.close();
  });

  it('is not drawn where a step is damaged', () => {
    const [step] = material.steps;
    const shuffled = { ...step!, launches: step!.launches.toReversed() };
    expect(auditPage(report, { ...material, steps: [shuffled] })).toContain('are not numbered as they should be');
    expect(existsSync(workspace.path('page.html'))).toBe(true);
  });
});
