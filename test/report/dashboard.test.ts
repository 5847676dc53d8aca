/** The live page: what it sends, that it harms nothing, and what a browser does with it. */

import { readFileSync } from 'node:fs';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Dashboard, type DashboardOptions, LIVE_SCRIPT, startDashboard } from '../../src/report/node/dashboard.ts';
import { disclosure, html, page, section } from '../../src/report/page/index.ts';
import { marsgrad, Workspace } from '../cli/command.ts';
import { findChromium } from '../setup/chromium.mjs';

/** A machine may be busy with other things. */
const PATIENT = { timeout: 20_000 };
let version = 0;
let drawn = 0;
let open: Dashboard[] = [];

/** A page of a fixed and a growing section. */
async function start(options: Partial<DashboardOptions> = {}): Promise<Dashboard> {
  const render: DashboardOptions['render'] = async (state) => {
    drawn++;
    const grown = Array.from({ length: version + 1 }, (_, i) => html`<p>line ${i}</p>`);
    const more = disclosure(
      'more',
      html`<div class="scroll tall" tabindex="0"><div style="height: 3000px">${version}</div></div>`,
      'more',
    );
    return page({
      title: 'Live',
      kicker: html`<span class="live" data-state="${state === 'live' ? 'on' : 'off'}">${state}</span>`,
      sections: [['still', 'Still'], ...(version > 1 ? [['new', 'New'] as const] : []), ['grown', 'Grown']],
      body: [
        section('still', 'Still', 'still'),
        version > 1 && section('new', 'New', 'new'),
        section('grown', 'Grown', more, grown),
      ],
      isLive: true,
      script: LIVE_SCRIPT,
    });
  };
  const dashboard = await startDashboard({ port: 0, render, stamp: () => String(version), intervalMs: 20, ...options });
  open.push(dashboard);
  return dashboard;
}

afterEach(async () => {
  await Promise.all(open.map((dashboard) => dashboard.close('finished').catch(() => {})));
  open = [];
  version = 0;
});

/** Reads events until `isEnough`; resolves with what came. */
function events(
  url: string,
  isEnough: (text: string) => boolean,
): Promise<{ text: string; response: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    get(`${url}events`, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (isEnough(text)) resolve({ text, response });
      });
      response.on('end', () => resolve({ text, response }));
      response.on('error', reject);
    }).on('error', reject);
  });
}

/** Ids of the parts in the order in which they were sent. */
const partsIn = (text: string): string[][] =>
  [...text.matchAll(/^event: parts\ndata: (.*)$/gm)].map(([, data]) => JSON.parse(data!).map(([id]: [string]) => id));

describe('the server', () => {
  it('serves the page, sends what changed and nothing else, and in the end says so', async () => {
    const dashboard = await start();
    const text = await (await fetch(dashboard.url)).text();
    expect(text).toContain('<p>line 0</p>');
    const own = /events\?version=(\w{16})/.exec(text)![1];
    const seen = events(dashboard.url, (received) => received.includes('event: end'));
    // Whoever comes without the version of a page is sent all.
    const other = events(dashboard.url, (received) => partsIn(received).length > 0);
    expect(partsIn((await other).text)[0]).toEqual(['top', 'still', 'grown']);
    expect(own).toHaveLength(16);
    version = 1;
    await expect.poll(() => drawn, PATIENT).toBeGreaterThan(1);
    await dashboard.close('finished');
    const sent = partsIn((await seen).text);
    expect(sent.slice(1)).toEqual([['grown'], ['top']]);
    expect((await seen).text).toContain('finished');
    await expect(fetch(dashboard.url)).rejects.toThrow();
  });

  it('draws nothing while nobody looks, or nothing changes', async () => {
    const dashboard = await start();
    drawn = 0;
    version = 5;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(drawn).toBe(0);
    const { response } = await events(dashboard.url, (text) => partsIn(text).length > 0);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(drawn).toBe(1);
    response.destroy();
    version = 6;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(drawn).toBeLessThanOrEqual(2);
  });

  it('takes the next port where one is taken', async () => {
    const other: Server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    const dashboard = await start({ port });
    expect(Number(new URL(dashboard.url).port)).toBeGreaterThan(port);
    other.close();
  });

  it('keeps its page when it cannot be drawn, and answers no foreign name', async () => {
    let isBroken = true;
    const render = async () => {
      if (isBroken) throw new Error('half a file');
      return '<section id="a">whole</section>';
    };
    const dashboard = await start({ render });
    expect((await fetch(dashboard.url)).status).toBe(503);
    isBroken = false;
    expect(await (await fetch(dashboard.url)).text()).toContain('whole');
    expect((await fetch(`${dashboard.url}other`)).status).toBe(404);
    const status = await new Promise((resolve) =>
      get(dashboard.url, { headers: { host: 'example.org' } }, (response) => resolve(response.statusCode)),
    );
    expect(status).toBe(403);
  });
});

describe('in a browser', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: findChromium()!,
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
  });
  afterAll(() => browser?.close());

  it('puts in what comes, keeps what is open, scrolled and focused, and stops claiming to be live', async () => {
    const dashboard = await start();
    const view = await browser.newPage({ viewport: { width: 800, height: 400 } });
    const complaints: string[] = [];
    view.on('console', (message) => complaints.push(message.text()));
    view.on('pageerror', (error) => complaints.push(error.message));
    await view.goto(dashboard.url);
    expect(await view.locator('.live').textContent()).toBe('live');
    await view.locator('summary').click();
    await view.locator('summary').focus();
    await view.locator('.scroll').evaluate((one) => (one.scrollTop = 120));
    await view.evaluate(() => window.scrollTo(0, 60));
    version = 3;
    await view.getByText('line 3').waitFor();
    expect(await view.locator('h2').allTextContents()).toEqual(['Still', 'New', 'Grown']);
    expect(await view.locator('details').getAttribute('open')).toBe('');
    expect(await view.locator('.scroll').evaluate((one) => one.scrollTop)).toBe(120);
    expect(await view.evaluate(() => [window.scrollY > 0, document.activeElement!.tagName])).toEqual([true, 'SUMMARY']);
    await dashboard.close('finished');
    await expect.poll(() => view.locator('.live').textContent(), PATIENT).toBe('finished');
    expect(await view.locator('.live').getAttribute('data-state')).toBe('off');
    expect(complaints).toEqual([]);
    await view.close();
  });

  it('says so when the run is gone without a word', async () => {
    const dashboard = await start();
    const view = await browser.newPage();
    await view.goto(dashboard.url);
    await view.waitForTimeout(100);
    // As a killed process leaves it.
    (dashboard as unknown as { server: Server }).server.closeAllConnections();
    (dashboard as unknown as { server: Server }).server.close();
    await expect.poll(() => view.locator('.live').textContent(), PATIENT).toMatch(/^not live: no connection/);
    await view.close();
  });
});

describe('--dashboard', () => {
  const workspace = new Workspace();
  afterAll(() => workspace.remove());

  it('shows a run while it goes on, and leaves its bytes as they are, whoever comes and goes', async () => {
    const data = await workspace.images('animals', ['cat', 'dog'], { train: 10, test: 4 });
    const args = [
      'finetune',
      '--network',
      'resnet20',
      '--random-init',
      '--dataset',
      data,
      '--image-size',
      '8',
      '--batch-size',
      '4',
    ];
    const train = (name: string, ...more: string[]) =>
      marsgrad([
        ...args,
        '--epochs',
        '16',
        '--device',
        'cpu',
        '--threads',
        '1',
        '--out',
        workspace.path(name),
        ...more,
      ]);
    const probe = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => probe.once('listening', resolve));
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    const url = `http://127.0.0.1:${port}/`;
    const running = train('watched', '--dashboard', String(port));
    await expect
      .poll(
        () =>
          fetch(url)
            .then(({ status }) => status)
            .catch(() => 0),
        { interval: 20, timeout: 20_000 },
      )
      .toBe(200);
    // One that goes away in the middle of it, and one that stays to the end.
    const leaver = events(url, (text) => text.length > 0).then(({ response }) => response.destroy());
    const stayer = events(url, (text) => text.includes('event: end'));
    await leaver;
    const { code, stderr } = await running;
    expect(code, stderr).toBe(0);
    expect(stderr).toContain(`Dashboard: ${url}`);
    const { text } = await stayer;
    const epochs = new Set([...text.matchAll(/(\d+) of 16/g)].map(([, epoch]) => Number(epoch)));
    expect(epochs.size).toBeGreaterThan(0);
    expect(partsIn(text).length).toBeGreaterThan(1);
    expect(text).toContain('not live any more: finished');
    expect(text).toContain('Most confidently wrong');
    expect((await train('alone')).code).toBe(0);
    const bytes = (name: string) => readFileSync(workspace.path(name, 'weights.safetensors'));
    expect(bytes('watched').equals(bytes('alone'))).toBe(true);
    const settings = (name: string) => JSON.parse(readFileSync(workspace.path(name, 'config.json'), 'utf8')).settings;
    expect(settings('watched')).toEqual(settings('alone'));
  });
});
