/** `marsgrad report`: runs as a page that one would rather look at than read. */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { ImageDataset } from '../data/index.ts';
import type { Context } from './context.ts';
import { UsageError } from './errors.ts';
import { factsOf, METHOD_FACTS, type Method } from './methods.ts';
import { addOutputOptions, type OutputOptions } from './options.ts';
import { Output } from './output.ts';
import { VERSION } from './package.ts';
import { rowsOf } from './rows.ts';
import type { RunConfig } from './runFolder.ts';
import { openRunDataset } from './session.ts';

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

interface RenderOptions {
  readonly hasImages: boolean;
  readonly onMessage: (text: string) => void;
}

/** Loads what draws only when it is needed: no other command waits for it. */
async function renderReport(paths: readonly string[], { hasImages, onMessage }: RenderOptions): Promise<string> {
  const { makeReport, readStudy, RunFileError } = await import('../report/node/index.ts');
  try {
    const study = readStudy(paths, (runs) => rowsOf(runs.map(({ config }) => config.settings)));
    if (study.runs.length === 0 && study.searches.length === 0)
      throw new UsageError(`There is no run in ${paths.join(', ')}.`);
    const openImages = hasImages ? (run: { config: RunConfig }) => openImagesOf(run.config, onMessage) : null;
    return await makeReport(study, { openImages, commandOf: () => null, aboutMethod, madeBy: `marsgrad ${VERSION}` });
  } catch (error) {
    throw error instanceof RunFileError ? new UsageError(error.message) : error;
  }
}

const aboutMethod = (method: string): string | null =>
  method in METHOD_FACTS ? factsOf(method as Method).about : null;

/** The images that decided the run, as they were opened for it. */
async function openImagesOf(config: RunConfig, onMessage: (text: string) => void): Promise<ImageDataset> {
  const { settings, preprocessing, inputs } = config;
  const dataset = await openRunDataset(settings, preprocessing, onMessage);
  if (dataset.contentDigest !== inputs.dataset.contentDigest)
    throw new Error(`${settings.dataset} is not the data that the run began with: its checksum differs.`);
  const images = dataset[settings.evaluateOn];
  if (!images) throw new Error(`${settings.dataset} has no such images any more.`);
  return images;
}
