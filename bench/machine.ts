/** The facts without which a number means nothing. */
import { execFileSync } from 'node:child_process';
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { ENGINE_FLAGS } from './engine.ts';
import { ROOT } from './root.ts';

export interface MachineFacts {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  readonly engineFlags: readonly string[];
  /** The commit measured; '+' after it where the working tree differs. Null outside a checkout. */
  readonly commit: string | null;
  /** Processes that wanted to run, averaged over a minute, when the measuring began: above 0, the machine was shared. */
  readonly loadAtStart: number;
}

export function machineFacts(): MachineFacts {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.versions.node,
    v8: process.versions.v8,
    engineFlags: ENGINE_FLAGS,
    commit: commit(),
    loadAtStart: loadNow(),
  };
}

export const loadNow = (): number => loadavg()[0] ?? 0;

function commit(): string | null {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }).trim();
    const isClean = git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'shaders', 'bench') === '';
    return git('rev-parse', '--short', 'HEAD') + (isClean ? '' : '+');
  } catch {
    return null;
  }
}
