/** A recorded step as a graph: which launch feeds which, and where each stands on the drawing. */
import type { Phase, RecordedLaunch, RecordedRange } from '../../audit/format.ts';

/** `to` reads in `buffer` (its kernel's name) what `from` wrote. */
export interface Flow {
  readonly from: number;
  readonly to: number;
  readonly buffer: string;
  /** Through what outlives the step (parameters, gradients, statistics), not through a value on its way. */
  readonly isState: boolean;
}

interface Write {
  readonly begin: number;
  readonly end: number;
  readonly launch: number;
  readonly isState: boolean;
}

/** Of every read, the launches that wrote last what it reads; what came in from outside has none. */
export function flowsOf(launches: readonly RecordedLaunch[]): Flow[] {
  const writes = new Map<number, Write[]>();
  const flows: Flow[] = [];
  for (const { index, buffers } of launches) {
    const ranges = Object.entries(buffers);
    for (const [buffer, range] of ranges) {
      if (range.access === 'write') continue;
      for (const { launch, isState } of lastWriters(writes.get(range.buffer) ?? [], range))
        flows.push({ from: launch, to: index, buffer, isState: isState || range.name !== null });
    }
    for (const [, { access, buffer, offset, length, name }] of ranges) {
      if (access === 'read') continue;
      const end = offset + length;
      const earlier = (writes.get(buffer) ?? []).filter((one) => one.begin < offset || one.end > end);
      writes.set(buffer, [...earlier, { begin: offset, end, launch: index, isState: name !== null }]);
    }
  }
  return flows;
}

/** Newest first, until the whole range is covered by one. */
function lastWriters(writes: readonly Write[], { offset, length }: RecordedRange): Write[] {
  const found: Write[] = [];
  for (const write of writes.toReversed()) {
    if (write.begin >= offset + length || write.end <= offset) continue;
    if (!found.some(({ launch }) => launch === write.launch)) found.push(write);
    if (write.begin <= offset && write.end >= offset + length) break;
  }
  return found;
}

/** What belongs together: an operation's forward launches, and opposite of them its backward launches. */
export interface TapeRow {
  /** The module, such as `layer1.0.conv1`. */
  readonly module: string;
  readonly operation: string | null;
  readonly forward: readonly RecordedLaunch[];
  readonly backward: readonly RecordedLaunch[];
}

export interface Tape {
  readonly prepare: readonly RecordedLaunch[];
  /** In the order of the forward pass; the backward pass goes through them from the last to the first. */
  readonly rows: readonly TapeRow[];
  readonly update: readonly RecordedLaunch[];
}

/** Launches by phase and by node of the tape. What belongs to no node stands with what ran before it. */
export function tapeOf(launches: readonly RecordedLaunch[]): Tape {
  const inPhase = (phase: Phase) => launches.filter((launch) => launch.phase === phase);
  const rows: { module: string; operation: string | null; forward: RecordedLaunch[]; backward: RecordedLaunch[] }[] =
    [];
  const byNode = new Map<number, number>();
  for (const launch of inPhase('forward')) {
    const { node, module, operation } = launch;
    const own = node === null ? -1 : byNode.get(node);
    const previous = rows.at(-1);
    if (own !== undefined && own >= 0) rows[own]!.forward.push(launch);
    else if (node === null && previous?.operation === null && previous.module === module) previous.forward.push(launch);
    else {
      if (node !== null) byNode.set(node, rows.length);
      rows.push({ module, operation, forward: [launch], backward: [] });
    }
  }
  let at = rows.length - 1;
  for (const launch of inPhase('backward')) {
    at = (launch.node === null ? undefined : byNode.get(launch.node)) ?? at;
    if (at < 0) at = rows.push({ module: launch.module, operation: null, forward: [], backward: [] }) - 1;
    rows[at]!.backward.push(launch);
  }
  return { prepare: inPhase('prepare'), rows, update: inPhase('update') };
}

/** In pixels. */
export interface Box {
  readonly launch: RecordedLaunch;
  readonly x: number;
  readonly y: number;
}

export interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  readonly kind: 'heading' | 'module';
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly Box[];
  readonly labels: readonly Label[];
  /** Heights of the lines between rows. */
  readonly rules: readonly number[];
}

export const BOX_WIDTH = 150;
export const BOX_HEIGHT = 22;
const GAP = 8;
const MARGIN = 10;
const LABELS = 124;
const LANES = { forward: 2, backward: 2 } as const;
/** Between the passes. */
const GUTTER = 26;
const PITCH = BOX_WIDTH + GAP;
const LINE = BOX_HEIGHT + GAP;
const FORWARD_X = MARGIN + LABELS;
const BACKWARD_X = FORWARD_X + LANES.forward * PITCH + GUTTER;
const WIDTH = BACKWARD_X + LANES.backward * PITCH + MARGIN;

const linesOf = (launches: readonly unknown[], lanes: number): number => Math.ceil(launches.length / lanes);

/** Places each launch: forward down the left, backward up the right, the update below. */
export function draw({ prepare, rows, update }: Tape): Drawing {
  const boxes: Box[] = [];
  const labels: Label[] = [];
  const rules: number[] = [];
  let y = MARGIN;
  const heading = (text: string, x = MARGIN) => labels.push({ x, y: y + 14, text, kind: 'heading' });
  const put = (launches: readonly RecordedLaunch[], x: number, lanes: number, top: number) => {
    for (const [i, launch] of launches.entries())
      boxes.push({ launch, x: x + (i % lanes) * PITCH, y: top + Math.floor(i / lanes) * LINE });
  };
  const strip = (title: string, launches: readonly RecordedLaunch[]) => {
    if (launches.length === 0) return;
    heading(title);
    y += 24;
    const lanes = Math.floor((WIDTH - 2 * MARGIN) / PITCH);
    put(launches, MARGIN, lanes, y);
    y += linesOf(launches, lanes) * LINE + GAP;
  };
  strip('Before the forward pass', prepare);
  heading('Forward: read down ↓', FORWARD_X);
  heading('Backward: read up ↑', BACKWARD_X);
  y += 26;
  for (const [i, { module, forward, backward }] of rows.entries()) {
    if (rows[i - 1]?.module !== module) {
      if (i > 0) rules.push(y - GAP / 2);
      labels.push({ x: MARGIN, y: y + 15, text: module === '' ? 'the network' : module, kind: 'module' });
    }
    const lines = Math.max(1, linesOf(forward, LANES.forward), linesOf(backward, LANES.backward));
    put(forward, FORWARD_X, LANES.forward, y);
    // The first launch of a backward pass stands lowest: one reads upwards.
    const own = linesOf(backward, LANES.backward);
    for (const [k, launch] of backward.entries())
      boxes.push({
        launch,
        x: BACKWARD_X + (k % LANES.backward) * PITCH,
        y: y + (own - 1 - Math.floor(k / LANES.backward)) * LINE,
      });
    y += lines * LINE;
  }
  y += GAP;
  strip('Update, projection, and what is measured', update);
  return {
    width: WIDTH,
    height: y + MARGIN,
    boxes: boxes.sort((a, b) => a.launch.index - b.launch.index),
    labels,
    rules,
  };
}

/** The way from one box to another, as an SVG path. */
export function pathBetween(from: Box, to: Box): string {
  const middle = (box: Box) => [box.x + BOX_WIDTH / 2, box.y + BOX_HEIGHT / 2] as const;
  const [fx, fy] = middle(from);
  const [tx, ty] = middle(to);
  if (Math.abs(ty - fy) < 4) {
    const [x1, x2] = tx > fx ? [from.x + BOX_WIDTH, to.x] : [from.x, to.x + BOX_WIDTH];
    return `M${x1} ${fy}L${x2} ${ty}`;
  }
  const isDown = ty > fy;
  const y1 = isDown ? from.y + BOX_HEIGHT : from.y;
  const y2 = isDown ? to.y : to.y + BOX_HEIGHT;
  const bend = (y2 - y1) / 2;
  // Long ways in one column keep to its left, beside the boxes that they pass.
  const bow = Math.abs(y2 - y1) > 2 * LINE && Math.abs(tx - fx) < PITCH ? BOX_WIDTH / 2 + 14 : 0;
  return `M${fx} ${y1}C${fx - bow} ${Math.round(y1 + bend)} ${tx - bow} ${Math.round(y2 - bend)} ${tx} ${y2}`;
}
