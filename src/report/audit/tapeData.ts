/** What the page's script knows of each launch, as JSON in the page. Short keys: there are hundreds of launches. */
import type { RecordedLaunch, RecordedRange, StepFile } from '../../audit/format.ts';
import type { LaunchError } from '../../audit/pageData.ts';
import { kernels } from '../../kernels/index.ts';
import { type Html, trusted } from '../page/index.ts';
import { launchTitle, placeOf } from './graph.ts';
import type { Flow } from './tape.ts';

export interface LaunchData {
  readonly i: number;
  readonly kernel: string;
  readonly title: string;
  readonly place: string;
  /** The kernel's mathematics in one line, with what its constants chose. */
  readonly summary: string;
  readonly params: string;
  /** Floating-point operations. */
  readonly flops: number | null;
  readonly buffers: readonly (readonly [name: string, access: string, dtype: string, shape: string, what: string])[];
  /** Launches that it reads from, and that read from it. */
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly errors: readonly LaunchError[];
  /** Paths of files that launch the kernel. */
  readonly users: readonly string[];
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

export function launchData(
  file: StepFile,
  flows: readonly Flow[],
  errors: ReadonlyMap<number, readonly LaunchError[]>,
  usersOf: (launch: RecordedLaunch) => readonly string[],
): LaunchData[] {
  const unique = (values: readonly number[]) => [...new Set(values)].sort((a, b) => a - b);
  const from = groups(flows, ({ to }) => to);
  const to = groups(flows, (flow) => flow.from);
  return file.launches.map((launch) => ({
    i: launch.index,
    kernel: launch.kernel,
    title: launchTitle(launch),
    place: placeOf(launch),
    summary: kernels.get(launch.kernel)?.summary ?? '',
    params: paramsText(launch),
    flops: flopsOf(launch),
    buffers: Object.entries(launch.buffers).map(([name, range]) => bufferRow(name, range, file)),
    from: unique((from.get(launch.index) ?? []).map((flow) => flow.from)),
    to: unique((to.get(launch.index) ?? []).map((flow) => flow.to)),
    errors: errors.get(launch.index) ?? [],
    users: usersOf(launch),
  }));
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
