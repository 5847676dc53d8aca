/** What every command is given. */
export interface Context {
  readonly streams: Pick<NodeJS.Process, 'stdout' | 'stderr'>;
  /** Aborts when the user stops the command. */
  readonly signal: AbortSignal;
}
