/** The command line as a function: arguments in, exit code out. */
import '../devices/node.ts';
import { Command } from 'commander';
import { auditCommand } from './audit.ts';
import { boundsCommand } from './bounds.ts';
import { boundsStudyCommand } from './boundsStudy.ts';
import type { Context } from './context.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { EXIT, exitCodeOf, isWritten, oneLine } from './errors.ts';
import { evaluateCommand } from './evaluate.ts';
import { exportCommand } from './export.ts';
import { finetuneCommand } from './finetune.ts';
import { workerCommand } from './jobs/worker.ts';
import { VERSION } from './package.ts';
import { recipeCommand } from './recipe.ts';
import { reportCommand } from './report.ts';
import { sensitivityCommand } from './sensitivity.ts';
import { summarizeCommand } from './summarize.ts';
import { sweepCommand } from './sweep.ts';
import { trainCommand } from './train.ts';
import { tuneCommand } from './tune.ts';

/** Runs one command to its end. Errors become one line on stderr (their stack too with --debug) and the exit code. */
export async function runCli(args: readonly string[], streams: Context['streams'] = process): Promise<number> {
  const controller = new AbortController();
  const onInterrupt = () => {
    // The first Ctrl-C stops after the step in work; whoever cannot wait presses it again.
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    streams.stderr.write('\nStopping after the step in work; press Ctrl-C again to stop at once.\n');
    controller.abort();
  };
  process.on('SIGINT', onInterrupt);
  try {
    await programFor({ streams, signal: controller.signal }).parseAsync(args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    if (!isWritten(error))
      streams.stderr.write(`${exitCodeOf(error) === EXIT.interrupted ? '' : 'error: '}${oneLine(error)}\n`);
    if (args.includes('--debug') && error instanceof Error) streams.stderr.write(`${error.stack}\n`);
    return exitCodeOf(error);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

function programFor(context: Context): Command {
  const { stdout, stderr } = context.streams;
  const program = new Command('marsgrad')
    .description('Fine-tune pre-trained ResNets within a distance of where they began, and audit every step.')
    .version(VERSION)
    .addHelpText('after', '\nA first look: marsgrad demo. What this machine can do: marsgrad doctor.');
  const commands = [
    demoCommand,
    finetuneCommand,
    evaluateCommand,
    trainCommand,
    exportCommand,
    tuneCommand,
    sweepCommand,
    summarizeCommand,
    reportCommand,
    sensitivityCommand,
    recipeCommand,
    auditCommand,
    boundsCommand,
    boundsStudyCommand,
    doctorCommand,
  ];
  for (const make of commands) program.addCommand(make(context));
  program.addCommand(workerCommand(context), { hidden: true });
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
    });
  }
  return program;
}
