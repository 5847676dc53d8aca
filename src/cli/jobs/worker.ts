/** `marsgrad worker`, which people do not call: runs the jobs that its parent process sends. */
import { Command } from 'commander';
import type { Context } from '../context.ts';
import { oneLine, UsageError } from '../errors.ts';
import { type Job, runJob } from './job.ts';
import type { WorkerReply } from './pool.ts';

export function workerCommand({ signal }: Context): Command {
  return new Command('worker').description('runs the trainings that a sweep gives it').action(async () => {
    if (!process.send) throw new UsageError('worker is started by sweep and tune; it is no command for people.');
    process.on('message', async (job: Job) => {
      const reply = await runJob(job, signal).then(
        (result): WorkerReply => ({ result }),
        (error: unknown): WorkerReply => ({
          error: oneLine(error),
          name: error instanceof Error ? error.name : 'Error',
        }),
      );
      if (process.connected) process.send!(reply);
    });
    // Nobody is left to tell: what is stored is all there is to save.
    process.on('disconnect', () => process.exit());
    await new Promise(() => {});
  });
}
