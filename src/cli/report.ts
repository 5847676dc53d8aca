/** `marsgrad report`: runs as a page that one would rather look at than read. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { Context } from './context.ts';
import { addOutputOptions, type OutputOptions } from './options.ts';
import { Output } from './output.ts';
import { renderReport } from './renderReport.ts';

interface ReportOptions extends OutputOptions {
  readonly out?: string;
  readonly images: boolean;
}

const EXAMPLES = `
One HTML file that needs nothing else: the result first, learning curves, the distance of every layer against its radius, tuning, confusion matrix,
the images that are most confidently wrong (where the data set is still there), and what repeats the runs.

Examples:
  marsgrad report runs/demo
  marsgrad report runs/ --out study.html`;

export function reportCommand(context: Context): Command {
  const command = new Command('report')
    .description('runs as one HTML page: result, curves, distances, mistakes')
    .argument('<runs...>', 'run folders, or folders that hold some (a sweep, a study)')
    .addHelpText('after', EXAMPLES)
    .option('--out <file>', 'the page (default: report.html in the folder, or here where there are several)')
    .option('--no-images', 'leave out the images that are most confidently wrong');
  addOutputOptions(command);
  return command.action(async (paths: string[], options: ReportOptions) => {
    const output = new Output(options.json, context.streams);
    const out = options.out ?? (paths.length === 1 ? join(paths[0]!, 'report.html') : 'report.html');
    const page = await renderReport(paths, {
      hasImages: options.images,
      onMessage: (text) => output.message(text),
    });
    writeFileSync(out, page);
    const { size: bytes } = statSync(out);
    output.record({ type: 'summary', report: out, bytes });
    output.result(`${out} (${(bytes / 1e6).toFixed(2)} MB)`);
  });
}
