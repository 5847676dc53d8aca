/** A peer is a process of its own; the protocol is told in serve.mjs. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ENGINE_FLAGS } from '../engine.ts';
import { ROOT } from '../root.ts';
import type { Subject } from '../timing.ts';
import type { Task } from './tasks.ts';

const FOLDER = join(ROOT, 'bench/peers');

interface PeerFacts {
  readonly version: string;
  readonly threads: number;
}

interface Process {
  readonly child: ChildProcess;
  readonly answers: AsyncIterator<string>;
}

/** A repetition that takes longer than this is not worth waiting for seven of. */
const PATIENCE_SECONDS = 45;

export class Peer implements Subject {
  readonly name: string;
  readonly facts: PeerFacts;
  readonly #command: PeerCommand;
  #process: Process | null;

  private constructor(command: PeerCommand, process: Process, facts: PeerFacts) {
    this.name = command.name;
    this.facts = facts;
    this.#command = command;
    this.#process = process;
  }

  static async start(command: PeerCommand): Promise<Peer> {
    const { process, facts } = await spawnPeer(command);
    return new Peer(command, process, facts);
  }

  /**
   * Computes the task once; the result is then in its output file. Rejects with what the peer says it cannot do, or when it
   * takes too long (its process is then ended, and another started for the next task).
   */
  async prepare(task: Task): Promise<void> {
    this.#process ??= (await spawnPeer(this.#command)).process;
    let timer: NodeJS.Timeout | undefined;
    const impatience = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.close();
        reject(new Error(`one repetition takes more than ${PATIENCE_SECONDS} s`));
      }, 1000 * PATIENCE_SECONDS);
    });
    const done = this.#ask({ prepare: task });
    try {
      await Promise.race([done, impatience]);
    } finally {
      clearTimeout(timer);
      done.catch(() => undefined);
    }
  }

  async run(repetitions: number): Promise<number> {
    return (await this.#ask({ run: repetitions })).seconds;
  }

  close(): void {
    this.#process?.child.kill();
    this.#process = null;
  }

  async #ask(request: object): Promise<{ readonly seconds: number }> {
    const { child, answers } = this.#process!;
    child.stdin!.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await answers.next();
    if (done) {
      this.close();
      throw new Error(`its process ended (exit code ${child.exitCode}, signal ${child.signalCode})`);
    }
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}

/** Rejects when it does not start, or starts and says nothing. */
async function spawnPeer({ name, command, args }: PeerCommand): Promise<{ process: Process; facts: PeerFacts }> {
  const child = spawn(command, args, { cwd: FOLDER, stdio: ['pipe', 'pipe', 'ignore'] });
  // A command that does not exist ends its output at once, which is reported below; a peer that was ended reads no more.
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await answers.next();
  if (first.done) throw new Error(`${name} does not start: ${command} ${args.join(' ')}`);
  return { process: { child, answers }, facts: JSON.parse(first.value) };
}

interface PeerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** The peers that can run here; `missing` says which cannot, and why. */
export async function startPeers(threads: number): Promise<{ peers: Peer[]; missing: string[] }> {
  installPackages();
  const script = (file: string, ...args: string[]) => [...ENGINE_FLAGS, file, ...args];
  const commands: PeerCommand[] = [
    { name: 'tfjs-wasm', command: process.execPath, args: script('tfjs.mjs', 'wasm') },
    { name: 'jax-js-wasm', command: process.execPath, args: script('jax.mjs', 'eager') },
    { name: 'jax-js-wasm jit', command: process.execPath, args: script('jax.mjs', 'jit') },
    { name: 'tfjs-cpu', command: process.execPath, args: script('tfjs.mjs', 'cpu') },
    { name: 'PyTorch-cpu', command: 'python3', args: ['torch_peer.py', String(threads)] },
  ];
  const peers: Peer[] = [];
  const missing: string[] = [];
  for (const command of commands) {
    try {
      peers.push(await Peer.start(command));
    } catch (error) {
      const hint = command.command === 'python3' ? ' (it needs a python3 with torch and numpy)' : '';
      missing.push(`${(error as Error).message}${hint}`);
    }
  }
  return { peers, missing };
}

/** Installs the peers as locked where they are missing or older than the lock file. */
function installPackages(): void {
  const [locked, installed] = ['package-lock.json', 'node_modules/.package-lock.json'].map((file) =>
    join(FOLDER, file),
  );
  if (existsSync(installed!) && statSync(installed!).mtimeMs >= statSync(locked!).mtimeMs) return;
  process.stderr.write('installing the peers: npm ci in bench/peers (about 300 MB)\n');
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: FOLDER, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error('npm ci in bench/peers failed: there is nothing to compare with');
}
