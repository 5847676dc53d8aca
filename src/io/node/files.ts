import { createHash, randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { WeightFileError } from '../errors.ts';
import { readWeightFile } from '../load.ts';
import { type SafetensorsMetadata, writeSafetensors } from '../safetensors.ts';
import type { StateDict } from '../state.ts';

const PROBLEMS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file.',
  EISDIR: 'is a folder; needed: a file.',
  ENOTDIR: 'there is no such file: part of its path is no folder.',
  EACCES: 'may not be accessed: permission denied.',
  ENOSPC: 'cannot be written: the disk is full.',
  ERR_FS_FILE_TOO_LARGE: 'is larger than the 2 GiB that can be read at once.',
};

function asWeightFileError(error: unknown, path: string, action: string): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  return new WeightFileError(path, PROBLEMS[String(error.code)] ?? `cannot be ${action}: ${error.message}.`);
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export interface LoadedWeights {
  readonly state: StateDict;
  /** Of a safetensors file; empty for others. */
  readonly metadata: SafetensorsMetadata;
  /** Of the file's bytes, hexadecimal. */
  readonly sha256: string;
}

/**
 * Reads a weight file of any known format.
 *
 * @throws WeightFileError that names the file: missing, unreadable, damaged, dangerous, or no weights.
 */
export async function loadWeights(path: string): Promise<LoadedWeights> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw asWeightFileError(error, path, 'read');
  });
  return { ...readWeightFile(bytes, path), sha256: sha256Of(bytes) };
}

/**
 * Writes a safetensors file so that `path` holds either its old content or all of the new: a temporary file beside it is
 * written, flushed to the disk, then renamed. Returns the sha256 (hexadecimal) of the bytes.
 */
export async function saveSafetensors(
  path: string,
  state: StateDict,
  metadata: SafetensorsMetadata = {},
): Promise<{ sha256: string }> {
  const bytes = writeSafetensors(state, metadata, path);
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw asWeightFileError(error, path, 'written');
  }
  return { sha256: sha256Of(bytes) };
}
