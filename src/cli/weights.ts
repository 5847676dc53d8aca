/** Weight files as the commands see them: the tensors, and what their metadata says about how they are to be used. */
import { readFile } from 'node:fs/promises';
import { readSafetensors, type StateDict, stripPrefix, toFloat32 } from '../io/index.ts';
import { loadWeights } from '../io/node/files.ts';
import type { ModuleState, Preprocessing } from '../nn/index.ts';

/** Stored with the weights that are trained here; a file from elsewhere has none of it. */
export interface WeightsMetadata {
  readonly network?: string;
  readonly classes?: readonly string[];
  readonly preprocessing?: Preprocessing;
  /** Decided which images of an unsplit folder are for testing. */
  readonly seed?: number;
}

export interface WeightsFile {
  readonly path: string;
  readonly state: StateDict;
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string;
  readonly metadata: WeightsMetadata;
}

export async function readWeightsFile(path: string): Promise<WeightsFile> {
  const { state, sha256 } = await loadWeights(path);
  return { path, state: stripPrefix(state, 'module.'), sha256, metadata: await readMetadata(path) };
}

async function readMetadata(path: string): Promise<WeightsMetadata> {
  const bytes = await readFile(path);
  if (bytes[8] !== '{'.charCodeAt(0)) return {};
  const { network, classes, preprocessing, seed } = readSafetensors(bytes, path).metadata;
  return {
    ...(network && { network }),
    ...(classes && { classes: JSON.parse(classes) as string[] }),
    ...(preprocessing && { preprocessing: JSON.parse(preprocessing) as Preprocessing }),
    ...(seed && { seed: Number(seed) }),
  };
}

/** For `saveSafetensors`. */
export function packMetadata(metadata: Required<WeightsMetadata>): Record<string, string> {
  return {
    format: 'pt',
    network: metadata.network,
    classes: JSON.stringify(metadata.classes),
    preprocessing: JSON.stringify(metadata.preprocessing),
    seed: String(metadata.seed),
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
