/** Fetching against a server of the test's own that cuts connections, forgets ranges, and lies. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { download } from '../../../src/io/node/download.ts';
import { Random } from '../../../src/tensor/random.ts';

const random = new Random(3);
const content = Buffer.from(Uint8Array.from({ length: 300_000 }, () => random.integer(256)));
const sha256 = createHash('sha256').update(content).digest('hex');

let server: Server;
let root: string;
let folder: string;
let requests: { range: string | undefined }[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push({ range: request.headers.range });
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  root = mkdtempSync(join(tmpdir(), 'marsgrad-download-'));
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  requests = [];
  folder = mkdtempSync(join(root, 'case-'));
  answer = serve();
});

const address = (path = 'model.safetensors') => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`;

/** The content, ranges included; of the first `cuts` answers each ends after 100,000 bytes. */
function serve({ cuts = 0, ranges = true, tag = '"one"', body = content } = {}) {
  let left = cuts;
  return (request: IncomingMessage, response: ServerResponse) => {
    const from = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const start = ranges && from && request.headers['if-range'] === tag ? Number(from[1]) : 0;
    const part = body.subarray(start);
    const headers = { etag: tag, 'content-length': part.length };
    if (start > 0)
      response.writeHead(206, { ...headers, 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` });
    else response.writeHead(200, headers);
    if (left-- > 0) response.write(part.subarray(0, 100_000), () => response.destroy());
    else response.end(part);
  };
}

test('is fetched once, with its checksum, and then found', async () => {
  const progress: [number, number | null][] = [];
  const first = await download(address(), { folder, onProgress: (done, total) => progress.push([done, total]) });
  expect([first.fetched, first.sha256]).toEqual([true, sha256]);
  expect(readFileSync(first.path).equals(content)).toBe(true);
  expect(progress.at(-1)).toEqual([300_000, 300_000]);
  const again = await download(`${address()}#sha256=${sha256}`, { folder });
  expect(again).toEqual({ ...first, fetched: false });
  expect(requests).toHaveLength(1);
  expect(readdirSync(folder).filter((name) => /part|lock/.test(name))).toEqual([]);
});

test('goes on where the connection was cut, to the same bytes', async () => {
  answer = serve({ cuts: 2 });
  const { path } = await download(address(), { folder });
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(requests.map(({ range }) => range)).toEqual([undefined, 'bytes=100000-', 'bytes=200000-']);
});

test('what came is kept for the next try, when the server gives up altogether', async () => {
  answer = serve({ cuts: 1 });
  const serving = answer;
  answer = (request, response) => (requests.length === 1 ? serving(request, response) : void response.destroy());
  await expect(download(address(), { folder })).rejects.toThrow(/127.0.0.1.*: cannot be fetched: .*try again to go on/);
  answer = serve();
  requests = [];
  const { path } = await download(address(), { folder });
  expect(requests).toEqual([{ range: 'bytes=100000-' }]);
  expect(readFileSync(path).equals(content)).toBe(true);
});

test('begins anew where the server has no ranges, or the file has changed since', async () => {
  answer = serve({ cuts: 1, ranges: false });
  const whole = await download(address(), { folder });
  expect(readFileSync(whole.path).equals(content)).toBe(true);
  const cut = serve({ cuts: 1 });
  const changed = serve({ tag: '"two"', body: Buffer.from('another file') });
  answer = (request, response) => (requests.length <= 3 ? cut : changed)(request, response);
  requests = [{ range: '' }, { range: '' }];
  const { path } = await download(address('changing'), { folder });
  expect(readFileSync(path, 'utf8')).toBe('another file');
});

test('a wrong checksum keeps nothing', async () => {
  const wrong = `${address()}#sha256=${'0'.repeat(64)}`;
  await expect(download(wrong, { folder })).rejects.toThrow(/has the sha256 [0-9a-f]{64}, but 0{64} was expected/);
  expect(readdirSync(folder)).toEqual([]);
});

test('a file that was changed in the cache is fetched anew', async () => {
  const { path } = await download(address(), { folder });
  writeFileSync(path, 'spoiled');
  const again = await download(address(), { folder });
  expect([again.fetched, readFileSync(again.path).equals(content)]).toEqual([true, true]);
});

test('errors of the server, and addresses that are none, are named', async () => {
  answer = (_, response) => void response.writeHead(404).end();
  await expect(download(address('gone.pth'), { folder })).rejects.toThrow(
    /gone.pth: the server answers 404 Not Found\./,
  );
  expect(requests).toHaveLength(1);
  await expect(download('http://example.org/x', { folder })).rejects.toThrow('is fetched by https only');
  await expect(download('https://', { folder })).rejects.toThrow('is no address');
  await expect(download(`${address()}#sha1=12`, { folder })).rejects.toThrow('#sha256= and 64 hexadecimal digits');
  answer = (_, response) =>
    void response.writeHead(206, { 'content-range': 'bytes 5-9/10', 'content-length': 5 }).end('12345');
  await expect(download(address('part'), { folder })).rejects.toThrow('sends another part than was asked for');
});

test('a length that is a lie is noticed', async () => {
  const fetchLying = async () => {
    const body = new Response('short').body;
    return new Response(body, { headers: { 'content-length': '1000' } });
  };
  await expect(download('https://example.org/x', { folder, fetch: fetchLying as typeof fetch })).rejects.toThrow(
    'the connection ended after 5 of 1000 bytes',
  );
});
