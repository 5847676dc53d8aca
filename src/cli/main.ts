#!/usr/bin/env node
import { runCli } from './program.ts';

// Whoever reads the output may stop early, as head does: that is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});
process.exitCode = await runCli(process.argv.slice(2));
