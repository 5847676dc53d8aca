/** The library in a page of headless Chromium, served from localhost (WebGPU needs a secure context). */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { bundleOptions } from '../../build.mjs';
import { findChromium } from '../setup/chromium.mjs';

/** SwiftShader is Chromium's own software adapter: the same on every machine. */
const FLAGS = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--no-sandbox',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-dev-shm-usage',
];

/** What makes a page cross-origin isolated, so that it may share memory between threads. */
const ISOLATION = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/** Everything in one script; a package or a Node module anywhere in it would be an error. */
async function bundlePage(): Promise<string> {
  const { outputFiles } = await build({
    ...bundleOptions,
    entryPoints: ['test/browser/page.ts'],
    platform: 'browser',
    packages: 'bundle',
    write: false,
  });
  return outputFiles[0]!.text;
}

export interface PageServer {
  /** A new page, cross-origin isolated or not, with the script loaded. */
  open(options: { isolated: boolean }): Promise<Page>;
  close(): Promise<void>;
}

function serve(script: string): Promise<Server> {
  const html = '<!doctype html><title>marsgrad</title><script type="module" src="/page.js"></script>';
  const server = createServer(({ url }, response) => {
    const isScript = url === '/page.js';
    const headers = { 'content-type': isScript ? 'text/javascript' : 'text/html', 'cache-control': 'no-store' };
    response.writeHead(200, url === '/isolated' || isScript ? { ...headers, ...ISOLATION } : headers);
    response.end(isScript ? script : html);
  });
  return new Promise((resolve) => server.listen(0, 'localhost', () => resolve(server)));
}

export async function startBrowser(): Promise<PageServer> {
  const executablePath = findChromium();
  if (!executablePath)
    throw new Error('There is no Chromium or Chrome here: `node test/setup/install.mjs` installs it or says how.');
  const server = await serve(await bundlePage());
  const { port } = server.address() as AddressInfo;
  const browser: Browser = await chromium.launch({ executablePath, args: FLAGS });
  return {
    async open({ isolated }) {
      const page = await browser.newPage();
      page.setDefaultTimeout(120_000);
      page.on('console', (message) => {
        if (message.type() === 'error') console.error(`page: ${message.text()}`);
      });
      await page.goto(`http://localhost:${port}/${isolated ? 'isolated' : 'plain'}`);
      await page.waitForFunction(() => 'trainInPage' in globalThis);
      return page;
    },
    async close() {
      await browser.close();
      server.close();
      server.closeAllConnections();
    },
  };
}
