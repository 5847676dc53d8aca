/** How a command ends, and what it says about it. */
import { CommanderError } from 'commander';

export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** The command line asks for something that cannot be. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The user stopped the command (Ctrl-C); the message says what was saved and how to go on. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** Commander has written its own errors (and help) when it throws them. */
export const isWritten = (error: unknown): boolean => error instanceof CommanderError;

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof InterruptedError ? EXIT.interrupted : EXIT.failed;
}

/** The message of an error in one line. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
