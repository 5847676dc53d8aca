/**
 * A report on 127.0.0.1 while its runs go on. What is shown is read from the run folders, as any reader would: the runs know nothing of
 * it. It is drawn only while somebody looks, and takes at most a tenth of the time of one thread.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type LiveState = 'live' | 'finished' | 'interrupted' | 'failed';

export interface DashboardOptions {
  /** The first that is tried; where it is taken, those after it. 0: any. */
  readonly port: number;
  /** The whole page as it is now. Where it throws, the page stays as it was. */
  readonly render: (state: LiveState) => Promise<string>;
  /** What changes whenever the page should be drawn again. */
  readonly stamp: () => string;
  readonly intervalMs?: number;
}

const PORTS_TRIED = 50;
const LARGEST_SHARE = 1 / 10;
/** Nobody waits longer for a page that does not read. */
const CLOSING_MS = 1000;

/** Rejects where no port is free. */
export async function startDashboard(options: DashboardOptions): Promise<Dashboard> {
  const dashboard = new Dashboard(options);
  await dashboard.listen(options.port);
  return dashboard;
}

interface Page {
  readonly text: string;
  readonly version: string;
  readonly parts: ReadonlyMap<string, string>;
}

export class Dashboard {
  private readonly options: Required<DashboardOptions>;
  private readonly server: Server;
  private readonly clients = new Set<ServerResponse>();
  private page: Page | null = null;
  private stamp = '';
  private timer: NodeJS.Timeout | null = null;
  private drawing: Promise<void> | null = null;
  private state: LiveState = 'live';
  private address = '';

  /** See `startDashboard`. */
  constructor(options: DashboardOptions) {
    this.options = { intervalMs: 1000, ...options };
    this.server = createServer((request, response) => {
      this.answer(request, response).catch(() => response.destroy());
    });
    // It keeps no process from its end.
    this.server.unref();
  }

  /** Where the page is, also when it is closed. */
  get url(): string {
    return this.address;
  }

  async listen(first: number): Promise<void> {
    for (let port = first; ; port++) {
      try {
        await new Promise<void>((resolve, reject) => {
          this.server.once('error', reject).listen(port, '127.0.0.1', () => {
            this.server.off('error', reject);
            resolve();
          });
        });
        this.address = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
        return;
      } catch (error) {
        const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
        if (!isTaken || first === 0 || port >= Math.min(65_535, first + PORTS_TRIED)) throw error;
      }
    }
  }

  /** Shows the end to those who look, and stops. */
  async close(state: Exclude<LiveState, 'live'>): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    await this.drawing;
    this.state = state;
    if (this.clients.size > 0) await this.draw();
    for (const client of this.clients) client.end('event: end\ndata: {}\n\n');
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeIdleConnections();
    const timer = setTimeout(() => this.server.closeAllConnections(), CLOSING_MS);
    await closed;
    clearTimeout(timer);
  }

  private async answer({ url = '/', headers, method }: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(url, this.url);
    // A foreign name that resolves to this machine is someone else's page.
    const host = headers.host?.replace(/:\d+$/, '');
    if (method !== 'GET' || (host !== '127.0.0.1' && host !== 'localhost'))
      return reply(response, 403, 'text/plain', '');
    if (pathname === '/events') return this.subscribe(response, searchParams.get('version'));
    if (pathname !== '/') return reply(response, 404, 'text/plain', 'There is one page: /\n');
    if (this.clients.size === 0 || !this.page) await this.drawOnce();
    const { page } = this;
    if (!page) return reply(response, 503, 'text/plain', 'There is nothing to show yet: try again in a moment.\n');
    reply(response, 200, 'text/html; charset=utf-8', page.text.replace(VERSION_MARK, page.version));
  }

  private subscribe(response: ServerResponse, version: string | null): void {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write('retry: 2000\n\n');
    this.clients.add(response);
    response.on('close', () => this.clients.delete(response));
    if (this.page && version !== this.page.version) send(response, [...this.page.parts]);
    this.schedule(0);
  }

  private schedule(delayMs: number): void {
    if (this.timer || this.drawing || this.state !== 'live') return;
    this.timer = setTimeout(async () => {
      this.timer = null;
      if (this.clients.size === 0 || this.state !== 'live') return;
      const begin = performance.now();
      await this.drawOnce();
      const took = performance.now() - begin;
      this.schedule(Math.max(this.options.intervalMs, took / LARGEST_SHARE));
    }, delayMs);
    this.timer.unref();
  }

  /** Where something changed. Several who ask at once wait for the same. */
  private async drawOnce(): Promise<void> {
    if (this.drawing) return this.drawing;
    const stamp = this.options.stamp();
    if (stamp === this.stamp && this.page) return;
    this.drawing = this.draw().finally(() => {
      this.drawing = null;
    });
    await this.drawing;
    if (this.page) this.stamp = stamp;
  }

  private async draw(): Promise<void> {
    const before = this.page?.parts;
    try {
      const text = await this.options.render(this.state);
      this.page = { text, version: createHash('sha256').update(text).digest('hex').slice(0, 16), parts: partsOf(text) };
    } catch {
      // A file that is just being written; it is looked at again.
      return;
    }
    const changed = [...this.page.parts].filter(([id, markup]) => before?.get(id) !== markup);
    if (changed.length > 0) for (const client of this.clients) send(client, changed);
  }
}

function reply(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
}

function send(client: ServerResponse, parts: readonly (readonly [id: string, markup: string])[]): void {
  client.write(`event: parts\ndata: ${JSON.stringify(parts)}\n\n`);
}

/** Header and sections, in their order; neither are nested. */
function partsOf(page: string): Map<string, string> {
  const found = page.matchAll(/<(header|section)\b[^>]*\bid="([\w-]+)"[^>]*>[\s\S]*?<\/\1>/g);
  return new Map([...found].map(([markup, , id]) => [id!, markup]));
}

const VERSION_MARK = '@version@';

/** Puts what comes into its place, and leaves what is open, pressed, focused and scrolled as it is. */
export const LIVE_SCRIPT = `
(() => {
  const say = (state, text) => {
    const badge = document.querySelector('.live');
    if (!badge) return;
    badge.dataset.state = state;
    badge.textContent = text;
  };
  const keep = (part) => ({
    open: [...part.querySelectorAll('details[open][data-key]')].map(({ dataset }) => dataset.key),
    pressed: [...part.querySelectorAll('[aria-pressed=true]')].map((one) => [one.closest('figure').id, one.dataset.series]),
    scrolled: [...part.querySelectorAll('.scroll')].map(({ scrollTop, scrollLeft }) => [scrollTop, scrollLeft]),
    focused: part.contains(document.activeElement) ? [...part.querySelectorAll('a, button, summary, .scroll')].indexOf(document.activeElement) : -1,
  });
  const restore = (part, { open, pressed, scrolled, focused }) => {
    for (const one of part.querySelectorAll('details[data-key]')) one.open = open.includes(one.dataset.key);
    for (const [figure, series] of pressed) {
      const button = document.getElementById(figure)?.querySelector('[data-series="' + series + '"]');
      if (button) button.click();
    }
    part.querySelectorAll('.scroll').forEach((one, i) => {
      if (scrolled[i]) [one.scrollTop, one.scrollLeft] = scrolled[i];
    });
    if (focused >= 0) [...part.querySelectorAll('a, button, summary, .scroll')][focused]?.focus({ preventScroll: true });
  };
  const update = (parts) => {
    const main = document.getElementById('main');
    for (const [id, markup] of parts) {
      const template = document.createElement('template');
      template.innerHTML = markup;
      const next = template.content.firstElementChild;
      const old = document.getElementById(id);
      if (old) {
        const kept = keep(old);
        old.replaceWith(next);
        restore(next, kept);
      } else {
        // Before the first section that the navigation names after it.
        const order = [...document.querySelectorAll('nav a')].map((link) => link.hash.slice(1));
        const later = order.slice(order.indexOf(id) + 1).map((other) => document.getElementById(other)).find(Boolean);
        main.insertBefore(next, later || null);
      }
    }
  };
  const source = new EventSource('events?version=${VERSION_MARK}');
  let isLost = false;
  source.addEventListener('open', () => {
    if (isLost) say('on', 'live');
    isLost = false;
  });
  source.addEventListener('parts', ({ data }) => update(JSON.parse(data)));
  source.addEventListener('end', () => source.close());
  source.addEventListener('error', () => {
    isLost = true;
    say('lost', 'not live: no connection to the run since ' + new Date().toLocaleTimeString());
  });
})();
`;
