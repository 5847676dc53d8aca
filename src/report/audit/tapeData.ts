/** What the page's script knows of each launch, as JSON in the page. Short keys: there are hundreds of launches. */
import type { RecordedLaunch, RecordedRange, StepFile } from '../../audit/format.ts';
import type { LaunchError } from '../../audit/pageData.ts';
import { kernels } from '../../kernels/index.ts';
import { type Html, trusted } from '../page/index.ts';
import { launchTitle, placeOf, worstShare } from './graph.ts';
import type { Flow } from './tape.ts';

export interface LaunchData {
  readonly i: number;
  readonly kernel: string;
  readonly title: string;
  readonly place: string;
  readonly params: string;
  /** Floating-point operations. */
  readonly flops: number | null;
  readonly buffers: readonly (readonly [name: string, access: string, dtype: string, shape: string, what: string])[];
  /** Launches that it reads from, and that read from it. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  /** Results of the recorded steps, the worst first: two or four. */
  readonly errors: readonly Omit<LaunchError, 'ulps' | 'kernel' | 'launch'>[];
  /** Results that are left out. */
  readonly more: number;
  /** Elements by distance, of all results together; zeros at the end are left out. */
  readonly ulps: readonly number[];
  /** Place in `TapeData.users`. */
  readonly users: number;
}

export interface TapeData {
  /** By kernel: its mathematics in one line. */
  readonly summaries: Readonly<Record<string, string>>;
  /** Paths of files that launch a kernel, the likeliest first. */
  readonly users: readonly (readonly string[])[];
  readonly launches: readonly LaunchData[];
  /** Index of the launch that is shown at first. */
  readonly first: number;
}

/** Parameters that say nothing are left out: strides and sizes of dimensions that are not there. */
function paramsText(launch: RecordedLaunch): string {
  const values = Object.entries({ ...launch.constants, ...launch.params });
  return values
    .map(([name, value]) => `${name} = ${Array.isArray(value) ? `[${value.join(', ')}]` : value}`)
    .join(', ');
}

function flopsOf({ kernel, params, constants }: RecordedLaunch): number | null {
  const count = kernels.get(kernel)?.flops(params, constants);
  return count !== undefined && Number.isFinite(count) ? count : null;
}

function bufferRow(name: string, range: RecordedRange, file: StepFile): LaunchData['buffers'][number] {
  const { access, buffer, shape, name: what, offset } = range;
  const dtype = file.buffers[buffer]?.dtype ?? '?';
  const place = offset > 0 ? `, from element ${offset}` : '';
  return [name, access, dtype, `[${shape.join(', ')}]`, what === null ? `buffer ${buffer}${place}` : what];
}

export function tapeData(
  file: StepFile,
  flows: readonly Flow[],
  errors: ReadonlyMap<number, readonly LaunchError[]>,
  usersOf: (launch: RecordedLaunch) => readonly string[],
): TapeData {
  const users = new Map<string, number>();
  const userLists: (readonly string[])[] = [];
  const usersPlace = (launch: RecordedLaunch): number => {
    const list = usersOf(launch);
    const key = list.join();
    const place = users.get(key) ?? userLists.push(list) - 1;
    users.set(key, place);
    return place;
  };
  const unique = (values: readonly number[]) => [...new Set(values)].sort((a, b) => a - b);
  const from = groups(flows, ({ to }) => to);
  const to = groups(flows, (flow) => flow.from);
  const launches = file.launches.map((launch) => ({
    i: launch.index,
    kernel: launch.kernel,
    title: launchTitle(launch),
    place: placeOf(launch),
    params: paramsText(launch),
    flops: flopsOf(launch),
    buffers: Object.entries(launch.buffers).map(([name, range]) => bufferRow(name, range, file)),
    from: unique((from.get(launch.index) ?? []).map((flow) => flow.from)),
    to: unique((to.get(launch.index) ?? []).map((flow) => flow.to)),
    ...errorsData(errors.get(launch.index) ?? [], mostErrors(file.launches.length)),
    users: usersPlace(launch),
  }));
  const names = new Set(launches.map(({ kernel }) => kernel));
  const summaries = Object.fromEntries([...names].map((name) => [name, kernels.get(name)?.summary ?? '']));
  return { summaries, users: userLists, launches, first: firstShown(file.launches, errors) };
}

/** The launch that is shown at first: the one that is furthest beyond its tolerance, or else the first of the forward pass. */
function firstShown(launches: readonly RecordedLaunch[], errors: ReadonlyMap<number, readonly LaunchError[]>): number {
  const shares = launches.map(({ index }) => worstShare(errors.get(index) ?? []) ?? 0);
  const worst = shares.reduce((most, share, i) => (share > shares[most]! ? i : most), 0);
  if (shares[worst]! > 1) return worst;
  return launches.find(({ phase }) => phase === 'forward')?.index ?? 0;
}

/** Of a launch: fewer where there are many launches, so that the page stays small. */
const mostErrors = (launches: number): number => (launches > 800 ? 2 : 4);

function errorsData(errors: readonly LaunchError[], most: number): Pick<LaunchData, 'errors' | 'more' | 'ulps'> {
  const share = (one: LaunchError) => worstShare([one]) ?? 0;
  const worst = [...errors].sort((a, b) => share(b) - share(a) || a.step - b.step).slice(0, most);
  const size = Math.max(0, ...errors.map(({ ulps }) => ulps.findLastIndex((count) => count > 0) + 1));
  return {
    errors: worst.map(({ step, buffer, error, tolerance, worst }) => ({ step, buffer, error, tolerance, worst })),
    more: errors.length - worst.length,
    ulps: Array.from({ length: size }, (_, i) => errors.reduce((sum, { ulps }) => sum + (ulps[i] ?? 0), 0)),
  };
}

function groups(flows: readonly Flow[], key: (flow: Flow) => number): Map<number, Flow[]> {
  const found = new Map<number, Flow[]>();
  for (const flow of flows) {
    const list = found.get(key(flow));
    if (list) list.push(flow);
    else found.set(key(flow), [flow]);
  }
  return found;
}

/** JSON in a script element: nothing in it can end the element. */
export const jsonScript = (id: string, value: unknown): Html =>
  trusted(`<script type="application/json" id="${id}">${JSON.stringify(value).replaceAll('<', '\\u003c')}</script>\n`);
