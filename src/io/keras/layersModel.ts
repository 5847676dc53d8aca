/**
 * The layers-model format of TensorFlow.js, in which Keras's models are published for JavaScript: `model.json` holds the layers
 * (`modelTopology`) and a manifest of the weights; the weights follow each other in the shards that it names, in its order.
 * (https://www.tensorflow.org/js/guide/save_load; quantised weights as `min + scale·q`.)
 */
import { decodeElements } from '../elements.ts';
import { quote, showShape, WeightFileError } from '../errors.ts';
import { countOf, type StateEntry } from '../state.ts';

export interface LayersModel {
  /** By Keras's names, `conv1/kernel`; in Keras's layout: kernels (height, width, in, out), dense (in, out). */
  readonly weights: ReadonlyMap<string, StateEntry>;
  /** Each layer's configuration, by the layer's name, in order. */
  readonly layers: ReadonlyMap<string, KerasLayer>;
}

export interface KerasLayer {
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
}

type JsonObject = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

interface Quantization {
  readonly dtype: 'uint8' | 'uint16' | 'float16';
  readonly scale: number;
  readonly min: number;
}
interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly quantization: Quantization | null;
}
interface Group {
  readonly paths: readonly string[];
  readonly entries: readonly Entry[];
}

const ELEMENT_OF = { float32: 'f32', uint8: 'u8', uint16: 'u16', float16: 'f16' } as const;
const BYTES = { float32: 4, uint8: 1, uint16: 2, float16: 2 } as const;

/** A shard lies beside `model.json`: no path of another folder is asked for. */
const isPlainName = (path: unknown): path is string => typeof path === 'string' && /^[\w][\w.-]*$/.test(path);

/** The names of the shards, in order. Throws WeightFileError where `model.json` is none. */
export const shardNames = (json: unknown, source: string): string[] =>
  groupsOf(json, source).flatMap(({ paths }) => [...paths]);

/**
 * `shards` holds the files of `shardNames` by name.
 *
 * @throws WeightFileError that names `source` (model.json) or the shard: malformed, missing, too short or too long.
 */
export function readLayersModel(json: unknown, shards: ReadonlyMap<string, Uint8Array>, source: string): LayersModel {
  const weights = new Map<string, StateEntry>();
  for (const { paths, entries } of groupsOf(json, source)) {
    const bytes = joined(paths, shards, source);
    let at = 0;
    for (const entry of entries) {
      if (weights.has(entry.name)) throw new WeightFileError(source, `names ${quote(entry.name)} twice.`);
      const size = countOf(entry.shape) * BYTES[entry.quantization?.dtype ?? 'float32'];
      if (at + size > bytes.length) {
        throw new WeightFileError(
          source,
          `its shards hold ${bytes.length} bytes, but ${quote(entry.name)} ${showShape(entry.shape)} ends at byte ${at + size}.`,
        );
      }
      weights.set(entry.name, { shape: entry.shape, dtype: 'f32', data: decode(bytes, at, entry) });
      at += size;
    }
    if (at !== bytes.length)
      throw new WeightFileError(source, `its shards hold ${bytes.length} bytes, but its weights take ${at}.`);
  }
  return { weights, layers: layersOf(json as JsonObject, source) };
}

function groupsOf(json: unknown, source: string): Group[] {
  const fail = (what: string): never => {
    throw new WeightFileError(source, `is no layers model of TensorFlow.js: ${what}.`);
  };
  if (!isObject(json)) return fail('it is no JSON object');
  if (json.format !== undefined && json.format !== 'layers-model') return fail(`its format is ${String(json.format)}`);
  if (!Array.isArray(json.weightsManifest)) return fail('it has no weightsManifest');
  return json.weightsManifest.map((group: unknown): Group => {
    if (!isObject(group) || !Array.isArray(group.paths) || !Array.isArray(group.weights))
      return fail('a group of its weightsManifest has no paths or no weights');
    const bad = group.paths.find((path: unknown) => !isPlainName(path));
    if (bad !== undefined) return fail(`the shard ${JSON.stringify(bad)} is not the plain name of a file`);
    return { paths: group.paths as string[], entries: group.weights.map((entry: unknown) => entryOf(entry, fail)) };
  });
}

function entryOf(value: unknown, fail: (what: string) => never): Entry {
  if (!isObject(value) || typeof value.name !== 'string') return fail('a weight has no name');
  const { name, shape, dtype, quantization } = value;
  const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!isShape || !Number.isSafeInteger(countOf(shape))) return fail(`${quote(name)} has no shape`);
  if (dtype !== 'float32')
    return fail(`${quote(name)} is of type ${String(dtype)}; readable is float32, also quantised`);
  if (quantization === undefined) return { name, shape, quantization: null };
  const kind = isObject(quantization) ? quantization.dtype : undefined;
  if (!isObject(quantization) || (kind !== 'uint8' && kind !== 'uint16' && kind !== 'float16'))
    return fail(`${quote(name)} is quantised as ${String(kind)}; readable are uint8, uint16, float16`);
  const { scale = 1, min = 0 } = quantization;
  if (typeof scale !== 'number' || typeof min !== 'number') return fail(`${quote(name)} has no scale and min`);
  return { name, shape, quantization: { dtype: kind, scale, min } };
}

function joined(paths: readonly string[], shards: ReadonlyMap<string, Uint8Array>, source: string): Uint8Array {
  const parts = paths.map((path) => {
    const part = shards.get(path);
    if (!part) throw new WeightFileError(source, `names the shard ${path}, which is not there.`);
    return part;
  });
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function decode(bytes: Uint8Array, at: number, { shape, quantization }: Entry): Float32Array {
  const dtype = quantization?.dtype ?? 'float32';
  // A copy: the elements may begin at any byte.
  const own = bytes.slice(at, at + countOf(shape) * BYTES[dtype]);
  const values = decodeElements(ELEMENT_OF[dtype], own) as Float32Array | Int32Array | Uint8Array;
  if (values instanceof Float32Array || !quantization) return values as Float32Array;
  return Float32Array.from(values, (value) => value * quantization.scale + quantization.min);
}

function layersOf(json: JsonObject, source: string): Map<string, KerasLayer> {
  const topology = isObject(json.modelTopology) ? json.modelTopology : {};
  const model = isObject(topology.model_config) ? topology.model_config : {};
  const list = isObject(model.config) ? model.config.layers : undefined;
  if (!Array.isArray(list)) throw new WeightFileError(source, 'has no layers in its modelTopology.');
  return new Map(
    list.map((layer: unknown): [string, KerasLayer] => {
      if (!isObject(layer) || !isObject(layer.config) || typeof layer.config.name !== 'string')
        throw new WeightFileError(source, 'has a layer without a configuration in its modelTopology.');
      return [layer.config.name, { className: String(layer.class_name), config: layer.config }];
    }),
  );
}
