/**
 * A module's state as plain data. The types are those of `src/io/state.ts` by structure, so that what a file reader returns
 * can be loaded and what a module returns can be written, while neither folder knows the other.
 */
import { type Shape, sameShape, shapeText, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** One tensor: `data` holds the product of `shape` values, row-major. */
export interface ModuleStateEntry {
  readonly shape: Shape;
  readonly dtype: 'f32' | 'f64' | 'i64';
  readonly data: Float32Array | Float64Array | BigInt64Array;
}
export type ModuleState = Map<string, ModuleStateEntry>;

/** What can be loaded: any entry with a shape and values; a tensor takes only floating-point ones. */
export type LoadableState = ReadonlyMap<
  string,
  { readonly shape: Shape; readonly data: ArrayLike<number> | ArrayLike<bigint> }
>;

/** Names that did not match: `missing` from the state, `unexpected` by the module. */
export interface LoadResult {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

/**
 * A whole number that belongs to a module's state and lives on the host: how many batches a BatchNorm has seen, how many
 * masks a Dropout has drawn. Saved as an int64 scalar. A state without it is complete (older PyTorch files have none).
 */
export class Counter {
  readonly name: string;
  value = 0;

  /** `name`: what it is called in a state dict. */
  constructor(name: string) {
    this.name = name;
  }
}

/** A parameter or buffer, or a counter. */
export type StateMember = Tensor | Counter;

export async function readMember(member: StateMember): Promise<ModuleStateEntry> {
  if (member instanceof Counter) return { shape: [], dtype: 'i64', data: BigInt64Array.of(BigInt(member.value)) };
  const data = await member.data();
  return data instanceof Float64Array
    ? { shape: member.shape, dtype: 'f64', data }
    : { shape: member.shape, dtype: 'f32', data: Float32Array.from(data) };
}

/** Writes in place: a parameter keeps its object and its place in an arena. */
export function assign(target: Tensor, values: ArrayLike<number>): void {
  target.assertAlive('assign');
  if (values.length !== target.size)
    throw new RangeError(`assign: ${values.length} values do not fill a tensor of shape ${shapeText(target.shape)}`);
  target.device.upload(target.storage.buffer, values, target.storage.offset);
  target.storage.markWritten();
}

/** See `Module.loadStateDict`. Checks everything before it writes anything. */
export function loadMembers(
  members: ReadonlyMap<string, StateMember>,
  state: LoadableState,
  strict: boolean,
  moduleName: string,
): LoadResult {
  const missing = [...members].filter(([name, m]) => !(m instanceof Counter) && !state.has(name)).map(([name]) => name);
  const unexpected = [...state.keys()].filter((name) => !members.has(name));
  const found = [...members].flatMap(([name, member]) => {
    const entry = state.get(name);
    return entry ? [{ name, member, entry }] : [];
  });
  const misfits = found.flatMap(({ name, member, entry }) => misfitOf(name, member, entry) ?? []);
  if (misfits.length > 0 || (strict && missing.length + unexpected.length > 0)) {
    const lines = [
      ...listed('missing from the state', missing),
      ...listed('unknown to the model', unexpected),
      ...listed('of another kind', misfits),
      ...prefixHint(members, unexpected, state),
    ];
    throw new Error(`The state does not fit ${moduleName}:${lines.map((line) => `\n  ${line}`).join('')}`);
  }
  for (const { member, entry } of found) {
    if (member instanceof Counter) member.value = Number(entry.data[0]);
    else assign(member, entry.data as ArrayLike<number>);
  }
  return { missing, unexpected };
}

type Loadable = LoadableState extends ReadonlyMap<string, infer Entry> ? Entry : never;

function misfitOf(name: string, member: StateMember, { shape, data }: Loadable): string | null {
  const needed = member instanceof Counter ? [] : member.shape;
  if (!sameShape(shape, needed))
    return `${name}: the state has the shape ${shapeText(shape)}, the model needs ${shapeText(needed)}`;
  if (data.length !== sizeOf(shape)) return `${name}: ${data.length} values do not fill the shape ${shapeText(shape)}`;
  const isFloating = data instanceof Float32Array || data instanceof Float64Array;
  if (member instanceof Counter || isFloating) return null;
  return `${name}: the state holds ${data.constructor.name} values, the model needs floating-point ones`;
}

const MOST_LISTED = 12;

function listed(what: string, items: readonly string[]): string[] {
  if (items.length === 0) return [];
  const more = items.length > MOST_LISTED ? `, and ${items.length - MOST_LISTED} more` : '';
  return [`${what} (${items.length}): ${items.slice(0, MOST_LISTED).join(', ')}${more}`];
}

/** PyTorch's DataParallel puts `module.` before every name. */
function prefixHint(
  members: ReadonlyMap<string, StateMember>,
  unexpected: readonly string[],
  state: LoadableState,
): string[] {
  const prefix = unexpected[0]?.match(/^[^.]+\./)?.[0];
  if (!prefix || unexpected.length !== state.size) return [];
  const fits = unexpected.every((name) => name.startsWith(prefix) && members.has(name.slice(prefix.length)));
  return fits ? [`every name of the state begins with "${prefix}"; without it (stripPrefix) they fit`] : [];
}
