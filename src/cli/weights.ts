/** Weight files as the commands see them: the tensors, and what their metadata says about how they are to be used. */
import { type SafetensorsMetadata, type StateDict, stripPrefix, toFloat32 } from '../io/index.ts';
import { loadWeights } from '../io/node/files.ts';
import type { ModuleState, Preprocessing } from '../nn/index.ts';
import { PRESETS, type Preset } from './settings.ts';

/** Stored with the weights that are trained here; a file from elsewhere has none of it. */
export interface WeightsMetadata {
  readonly network?: string;
  readonly classes?: readonly string[];
  readonly preprocessing?: Preprocessing;
  /** Decided which images of an unsplit folder are for testing. */
  readonly seed?: number;
  /** How images became inputs. */
  readonly preset?: Preset;
}

export interface WeightsFile {
  readonly path: string;
  readonly state: StateDict;
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string;
  readonly metadata: WeightsMetadata;
}

export async function readWeightsFile(path: string): Promise<WeightsFile> {
  const { state, sha256, metadata } = await loadWeights(path);
  return { path, state: stripPrefix(state, 'module.'), sha256, metadata: unpackMetadata(metadata, path) };
}

/** A file from elsewhere may use the same keys for something else: what does not fit is refused by name. */
function unpackMetadata(metadata: SafetensorsMetadata, path: string): WeightsMetadata {
  const { network, classes, preprocessing, seed, preset } = metadata;
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
    ...(preset && { preset: parsed('preset', preset, isPreset) }),
    ...(seed && { seed: parsed('seed', seed, Number.isInteger as (value: unknown) => value is number) }),
  };
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

/** For `saveSafetensors`. */
export function packMetadata(metadata: Required<WeightsMetadata>): Record<string, string> {
  return {
    format: 'pt',
    network: metadata.network,
    classes: JSON.stringify(metadata.classes),
    preprocessing: JSON.stringify(metadata.preprocessing),
    seed: String(metadata.seed),
    preset: JSON.stringify(metadata.preset),
  };
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
