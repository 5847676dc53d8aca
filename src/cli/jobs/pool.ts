/** Several trainings at once, each in a process of its own; or one after the other in this one. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { InterruptedError } from '../errors.ts';
import { PACKAGE_ROOT } from '../package.ts';
import { type Job, type JobResult, runJob } from './job.ts';

/** What a worker process says of a job; an error as far as it can travel. */
export type WorkerReply = { readonly result: JobResult } | { readonly error: string; readonly name: string };

interface Waiting {
  readonly job: Job;
  readonly priority: number;
  readonly resolve: (result: JobResult) => void;
  readonly reject: (reason: unknown) => void;
}

type Runner = (job: Job) => Promise<JobResult>;

/** Of the jobs that wait, the one of the smallest priority is next; of several, the first that came. */
export class JobPool {
  private readonly waiting: Waiting[] = [];
  private readonly idle: Runner[];
  private readonly workers: WorkerProcess[];
  private readonly signal: AbortSignal;

  /** With `size` 1, jobs run in this process. */
  constructor(size: number, signal: AbortSignal) {
    this.signal = signal;
    this.workers = size === 1 ? [] : Array.from({ length: size }, () => new WorkerProcess());
    this.idle = size === 1 ? [(job) => runJob(job, signal)] : this.workers.map((worker) => (job) => worker.run(job));
  }

  /** Rejects as `runJob` does; what waits when the signal aborts is rejected with its reason. */
  run(job: Job, priority: number): Promise<JobResult> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ job, priority, resolve, reject });
      this.next();
    });
  }

  private next(): void {
    if (this.signal.aborted) {
      for (const { reject } of this.waiting.splice(0)) reject(new InterruptedError('Interrupted.'));
      return;
    }
    if (this.waiting.length === 0) return;
    const runner = this.idle.pop();
    if (!runner) return;
    const least = Math.min(...this.waiting.map(({ priority }) => priority));
    const [chosen] = this.waiting.splice(
      this.waiting.findIndex(({ priority }) => priority === least),
      1,
    );
    const { job, resolve, reject } = chosen!;
    runner(job)
      .then(resolve, reject)
      .finally(() => {
        this.idle.push(runner);
        this.next();
      });
  }

  close(): void {
    for (const worker of this.workers) worker.close();
  }
}

const errorOf = ({ error, name }: { readonly error: string; readonly name: string }): Error =>
  name === 'InterruptedError' ? new InterruptedError(error) : Object.assign(new Error(error), { name });

/** A process that runs one job after the other. It ends with this process, however that ends. */
class WorkerProcess {
  private child: ChildProcess | null = null;

  run(job: Job): Promise<JobResult> {
    this.child ??= fork(join(PACKAGE_ROOT, 'dist/cli.js'), ['worker'], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const { child } = this;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        child.off('message', onReply).off('exit', onExit);
        act();
      };
      const onReply = (reply: WorkerReply) =>
        settle(() => {
          if ('result' in reply) resolve(reply.result);
          else reject(errorOf(reply));
        });
      const onExit = (code: number | null, signal: string | null) => {
        this.child = null;
        settle(() => reject(new Error(`the process of ${job.out} ended (${signal ?? `code ${code}`})`)));
      };
      child.on('message', onReply).on('exit', onExit);
      child.send(job);
    });
  }

  close(): void {
    this.child?.disconnect();
    this.child = null;
  }
}
