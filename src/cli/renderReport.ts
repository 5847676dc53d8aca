/** Run folders to a page: for `report`, and for `--dashboard` while they grow. */
import type { ImageDataset } from '../data/index.ts';
import type { LiveState } from '../report/node/index.ts';
import { commandOf } from './commandOf.ts';
import { UsageError } from './errors.ts';
import { factsOf, METHOD_FACTS, type Method } from './methods.ts';
import { VERSION } from './package.ts';
import { rowsOf } from './rows.ts';
import type { RunConfig } from './runFolder.ts';
import { openRunDataset } from './session.ts';

export interface RenderOptions {
  readonly hasImages: boolean;
  readonly onMessage: (text: string) => void;
  /** Of a page that is served while runs go on: it may have nothing to show yet. */
  readonly state?: LiveState;
}

/** Loads what draws only when it is needed: no other command waits for it. */
export async function renderReport(
  paths: readonly string[],
  { hasImages, onMessage, state }: RenderOptions,
): Promise<string> {
  const { makeReport, readStudy, RunFileError } = await import('../report/node/index.ts');
  try {
    const study = readStudy(paths, (runs) => rowsOf(runs.map(({ config }) => config.settings)));
    if (!state && study.runs.length === 0 && study.searches.length === 0)
      throw new UsageError(`There is no run in ${paths.join(', ')}.`);
    const openImages = hasImages ? (run: { config: RunConfig }) => openImagesOf(run.config, onMessage) : null;
    const madeBy = `marsgrad ${VERSION}`;
    return await makeReport(study, {
      openImages,
      commandOf: ({ config }) => commandOf(config.settings, config.device.kind),
      aboutMethod,
      madeBy,
      ...(state && { state }),
    });
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
