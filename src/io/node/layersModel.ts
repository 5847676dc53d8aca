/** A folder with a layers model of TensorFlow.js. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WeightFileError } from '../errors.ts';
import { type LayersModel, readLayersModel, shardNames } from '../keras/layersModel.ts';

export const MODEL_FILE = 'model.json';

/** `sha256` is of model.json and the shards, one after the other. Throws WeightFileError that names the file. */
export async function loadLayersModel(folder: string): Promise<LayersModel & { readonly sha256: string }> {
  const source = join(folder, MODEL_FILE);
  const text = await readOrExplain(source);
  let json: unknown;
  try {
    json = JSON.parse(text.toString('utf8'));
  } catch {
    throw new WeightFileError(source, 'is no JSON.');
  }
  const hash = createHash('sha256').update(text);
  const shards = new Map<string, Uint8Array>();
  for (const name of shardNames(json, source)) {
    const bytes = await readOrExplain(join(folder, name));
    hash.update(bytes);
    shards.set(name, bytes);
  }
  return { ...readLayersModel(json, shards, source), sha256: hash.digest('hex') };
}

async function readOrExplain(path: string): Promise<Buffer> {
  return readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new WeightFileError(
      path,
      error.code === 'ENOENT' ? 'there is no such file.' : `cannot be read: ${error.message}.`,
    );
  });
}
