/** Weight files as the commands see them: the tensors, and what their metadata says about how they are to be used. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from '../data/node/cache.ts';
import {
  fromTorchvisionEfficientNet,
  type LayersModel,
  readKerasResNet,
  type SafetensorsMetadata,
  type StateDict,
  stripWrappers,
  toFloat32,
} from '../io/index.ts';
import { download, isAddress } from '../io/node/download.ts';
import { loadWeights } from '../io/node/files.ts';
import { loadLayersModel, MODEL_FILE } from '../io/node/layersModel.ts';
import type { CreateModelOptions, ModuleState, Preprocessing } from '../nn/index.ts';
import { didYouMean } from '../tensor/suggest.ts';
import { UsageError } from './errors.ts';
import { loadPretrained, PRETRAINED_NAMES } from './pretrained.ts';
import { PRESETS, type Preset } from './settings.ts';

/** What `--weights` takes. */
export const WEIGHTS_HELP =
  "safetensors, or PyTorch's .pth, .pt, .th (nothing in them is executed); a run folder; TensorFlow.js's model.json; " +
  `an https address; or ${PRETRAINED_NAMES.join(', ')}`;

/** Stored with the weights that are trained here; a file from elsewhere has none of it. */
export interface WeightsMetadata {
  readonly network?: string;
  readonly classes?: readonly string[];
  readonly preprocessing?: Preprocessing;
  /** Decided which images of an unsplit folder are for testing. */
  readonly seed?: number;
  /** How images became inputs. */
  readonly preset?: Preset;
  /** What the network has other than by default. */
  readonly architecture?: Architecture;
}

/** Of `createModel`: what weights from elsewhere may need. */
export type Architecture = Pick<CreateModelOptions, 'epsilon' | 'strideIn1x1'>;

export interface WeightsFile {
  readonly path: string;
  readonly state: StateDict;
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string;
  readonly metadata: WeightsMetadata;
}

/**
 * Weights by what the command line calls them: a name of the catalogue, an https address, a run folder, a folder with a layers model of
 * TensorFlow.js, or a file. `onMessage`: about what takes long.
 */
export async function readWeightsFile(
  path: string,
  onMessage: (text: string) => void = () => {},
): Promise<WeightsFile> {
  if (isAddress(path)) return fromAddress(path, onMessage);
  if (PRETRAINED_NAMES.includes(path)) return fromKeras(path, await loadPretrained(path, onMessage));
  const place = await placeOf(path);
  if (place.kind === 'layers model') return fromKeras(path, await loadLayersModel(path));
  return fromFile(path, place.path);
}

async function fromFile(path: string, file: string): Promise<WeightsFile> {
  const { state, sha256, metadata } = await loadWeights(file);
  return {
    path,
    state: fromTorchvisionEfficientNet(stripWrappers(state)),
    sha256,
    metadata: unpackMetadata(metadata, path),
  };
}

/** Fetched once, and kept in the cache. */
async function fromAddress(address: string, onMessage: (text: string) => void): Promise<WeightsFile> {
  let said = 0;
  const { path, sha256, fetched } = await download(address, {
    folder: join(cacheFolder(), 'weights'),
    onProgress: (done, total) => {
      const [megabytes, step] = [done / 1e6, (total ?? 1e9) / 10];
      if (done - said < step && done !== total) return;
      said = done;
      onMessage(
        `Fetching ${address}: ${megabytes.toFixed(1)}${total === null ? '' : ` of ${(total / 1e6).toFixed(1)}`} MB`,
      );
    },
  });
  if (fetched) onMessage(`Kept as ${path}; sha256 ${sha256}.`);
  return fromFile(address, path);
}

/** Where the bytes lie. */
async function placeOf(path: string): Promise<{ readonly kind: 'file' | 'layers model'; readonly path: string }> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    const hint = /[\\/.]/.test(path) ? '' : didYouMean(path, PRETRAINED_NAMES);
    if (hint) throw new UsageError(`There are no weights called "${path}".${hint}`);
    return { kind: 'file', path };
  }
  if (existsSync(join(path, MODEL_FILE))) return { kind: 'layers model', path };
  const ofRun = join(path, 'weights.safetensors');
  if (existsSync(ofRun)) return { kind: 'file', path: ofRun };
  throw new UsageError(
    `${path} is a folder with neither weights.safetensors (a run's) nor model.json (TensorFlow.js's).`,
  );
}

/** Keras's ResNets, with what they expect of network and images. */
function fromKeras(path: string, model: LayersModel & { readonly sha256: string }): WeightsFile {
  const { network, state, epsilon, strideIn1x1, mean, deviation } = readKerasResNet(model, path);
  const preprocessing = { resize: 256, size: 224, mean, deviation };
  return {
    path,
    state,
    sha256: model.sha256,
    metadata: { network, preprocessing, architecture: { epsilon, strideIn1x1 } },
  };
}

/** A file from elsewhere may use the same keys for something else: what does not fit is refused by name. */
function unpackMetadata(metadata: SafetensorsMetadata, path: string): WeightsMetadata {
  const { network, classes, preprocessing, seed, preset, architecture } = metadata;
  const refuse = (key: string): never => {
    throw new Error(`${path}: its metadata '${key}' is not what marsgrad writes there.`);
  };
  const parsed = <T>(key: string, text: string, fits: (value: unknown) => value is T): T => {
    try {
      const value: unknown = JSON.parse(text);
      return fits(value) ? value : refuse(key);
    } catch {
      return refuse(key);
    }
  };
  return {
    ...(network && { network }),
    ...(classes && { classes: parsed('classes', classes, isNames) }),
    ...(preprocessing && { preprocessing: parsed('preprocessing', preprocessing, isPreprocessing) }),
    ...(architecture && { architecture: parsed('architecture', architecture, isArchitecture) }),
    ...(preset && { preset: parsed('preset', preset, isPreset) }),
    ...(seed && { seed: parsed('seed', seed, Number.isInteger as (value: unknown) => value is number) }),
  };
}

function isArchitecture(value: unknown): value is Architecture {
  if (typeof value !== 'object' || value === null) return false;
  const { epsilon, strideIn1x1 } = value as Record<string, unknown>;
  return (
    (epsilon === undefined || typeof epsilon === 'number') &&
    (strideIn1x1 === undefined || typeof strideIn1x1 === 'boolean')
  );
}

const isPreset = (value: unknown): value is Preset => PRESETS.some((name) => name === value);

const isNames = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((name) => typeof name === 'string');

function isPreprocessing(value: unknown): value is Preprocessing {
  if (typeof value !== 'object' || value === null) return false;
  const { resize, size, mean, deviation } = value as Record<string, unknown>;
  const isColor = (list: unknown) => Array.isArray(list) && list.length === 3 && list.every(Number.isFinite);
  return (resize === null || Number.isInteger(resize)) && Number.isInteger(size) && isColor(mean) && isColor(deviation);
}

/** For `saveSafetensors`: what is known. */
export function storedMetadata({ network, ...rest }: WeightsMetadata): Record<string, string> {
  const known = Object.entries(rest).filter(([, value]) => value !== undefined);
  const texts = known.map(([key, value]) => [key, JSON.stringify(value)] as const);
  return { format: 'pt', ...(network !== undefined && { network }), ...Object.fromEntries(texts) };
}

/** Rounds what the reference device holds in float64: weight files are float32. */
export function asFloat32(state: ModuleState): StateDict {
  return new Map(
    [...state].map(([name, entry]) => [
      name,
      entry.dtype === 'f64' ? { shape: entry.shape, dtype: 'f32', data: toFloat32(entry, name) } : entry,
    ]),
  );
}
