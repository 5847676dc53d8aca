/**
 * What the tests need and npm cannot install: a WebGPU adapter for Dawn and a Chromium. Where one is missing on Debian or Ubuntu, this
 * installs it with apt if it may (root, or sudo without a password); else it says what to run. It never fails: the tests that need
 * what is missing do.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { installPlan, LIST_SOURCES, parseSources, readOsRelease } from './apt.mjs';
import { findChromium } from './chromium.mjs';

const say = (text) => process.stderr.write(`test/setup: ${text}\n`);

/** The adapter's name; undefined where Dawn finds none. */
function findAdapter() {
  const program = fileURLToPath(new URL('adapter.mjs', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [program], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 ? stdout.trim() : undefined;
}

const succeeds = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0;

/** What stands before a command that changes the system: nothing for root; undefined where this user may not. */
function privilege() {
  if (process.getuid?.() === 0) return [];
  return succeeds('sudo', ['-n', 'true']) ? ['sudo', '-n'] : undefined;
}

/** @param {{ adapter: boolean, chromium: boolean }} missing */
function install(missing) {
  const sources = spawnSync('apt-get', LIST_SOURCES, { encoding: 'utf8' });
  if (sources.status !== 0) {
    say(
      'this is no machine with apt. WebGPU needs a Vulkan, Metal or Direct3D 12 driver (on Linux without a GPU: Mesa 25 with ' +
        'lavapipe); the browser test needs Chromium or Chrome. Install what is missing and run `npm test` again.',
    );
    return;
  }
  const release = readOsRelease(readFileSync('/etc/os-release', 'utf8'));
  const commands = installPlan(missing, release, parseSources(sources.stdout));
  const prefix = privilege();
  if (prefix === undefined) {
    say('this user may not install packages. Run these, then `npm test` again:');
    for (const command of commands) process.stderr.write(`  sudo sh -c '${command}'\n`);
    return;
  }
  for (const command of commands) {
    say(`running: ${command}`);
    const [program, ...args] = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'sh', '-c', command];
    const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) return say(`it failed (exit code ${status}); the tests that need it will fail`);
  }
}

const adapter = findAdapter();
const chromium = findChromium();
if (adapter === undefined || chromium === undefined) {
  if (adapter === undefined) say('WebGPU finds no adapter');
  if (chromium === undefined) say('there is no Chromium');
  install({ adapter: adapter === undefined, chromium: chromium === undefined });
}
const adapterNow = adapter ?? findAdapter();
const chromiumNow = chromium ?? findChromium();
say(adapterNow ? `WebGPU adapter: ${adapterNow}` : 'still no WebGPU adapter: the GPU tests will fail');
say(chromiumNow ? `browser: ${chromiumNow}` : 'still no Chromium: the browser test will fail');
