/** Lowering of convolution, forward and input gradient: pack the filters, then convolve block by block. */
import type { Conv2dParams } from '../../../kernels/conv2d.ts';
import { CONV2D_PARAMS } from '../../../kernels/conv2d.ts';
import { STEP, TILE } from '../layout.ts';
import * as op from '../operations.ts';
import type { CommandSink, LoweredLaunch, Lowering } from './context.ts';
import {
  type AxisTap,
  axes,
  flattened,
  forwardTaps,
  gradientPhases,
  isPointwise,
  largest,
  layoutWords,
  type PackedLayout,
} from './geometry.ts';

/** The packed image of a task is kept to this size where it can be: it should stay in the second-level cache. */
const IMAGE_BYTES = 192 * 1024;
/** With fewer tasks than this, rows and then outputs are dealt out in smaller blocks. */
const ENOUGH_TASKS = 16;

export function conv2dParams({ scalar }: LoweredLaunch): Conv2dParams {
  return Object.fromEntries(Object.keys(CONV2D_PARAMS).map((name) => [name, scalar(name)])) as unknown as Conv2dParams;
}

/** Small images and groups share a task until it has about this many products to add: some ten microseconds of work. */
const TASK_PRODUCTS = 200_000;

/** Sums are filled up with zeros to whole steps of the GEMM core. */
const paddedTerms = (terms: number) => Math.ceil(terms / STEP) * STEP;

/** A phase along both axes: its taps, and where its outputs are. */
interface Phase {
  readonly rowTaps: readonly AxisTap[];
  readonly columnTaps: readonly AxisTap[];
  readonly firstRow: number;
  readonly rows: number;
  readonly columns: number;
  /** Pixels between the start of a packed row and column 0. */
  readonly shift: number;
  readonly outRow: number;
  readonly outRowStep: number;
  readonly outColumn: number;
  readonly outColumnStep: number;
}

/** Either pass, in the terms of the implicit GEMM. Filter strides in elements. */
interface Convolution {
  readonly image: number;
  readonly filters: number;
  readonly out: number;
  readonly batch: number;
  readonly groups: number;
  readonly channels: number;
  readonly lanes: number;
  readonly laneStride: number;
  readonly channelStride: number;
  readonly groupStride: number;
  readonly kernelWidth: number;
  readonly outHeight: number;
  readonly outWidth: number;
  /** Rows u over which blocks are dealt out; `extraRows` more are read. */
  readonly rows: number;
  readonly extraRows: number;
  readonly layout: Omit<PackedLayout, 'phaseBytes' | 'channelBytes'>;
  readonly isPacked: boolean;
  readonly phases: readonly Phase[];
}

/** Rows and panels of a task: rows so that the packed image fits, then as many tasks as keep several threads busy. */
function blocks(c: Convolution): { rows: number; panels: number } {
  const { layout } = c;
  const rowBytes = 4 * c.channels * layout.phasesHeight * layout.phasesWidth * layout.pitch;
  let rows = c.rows;
  if (c.isPacked) rows = Math.min(rows, Math.max(1, Math.floor(IMAGE_BYTES / rowBytes) - c.extraRows));
  let panels = Math.ceil(c.lanes / TILE);
  const allPanels = panels;
  const tasks = () => c.batch * c.groups * Math.ceil(c.rows / rows) * Math.ceil(allPanels / panels);
  while (tasks() < ENOUGH_TASKS && rows > Math.max(4, 2 * c.extraRows)) rows = Math.ceil(rows / 2);
  while (tasks() < ENOUGH_TASKS && panels > 1) panels = Math.ceil(panels / 2);
  return { rows: Math.ceil(c.rows / Math.ceil(c.rows / rows)), panels };
}

function submit(sink: CommandSink, c: Convolution): void {
  if (c.batch * c.groups * c.lanes * c.rows === 0) return;
  const block = blocks(c);
  const panels = Math.ceil(c.lanes / TILE);
  const packedRows = c.isPacked ? block.rows + c.extraRows : c.layout.height;
  const phaseBytes = 4 * packedRows * c.layout.pitch;
  const channelBytes = phaseBytes * c.layout.phasesHeight * c.layout.phasesWidth;
  const layout: PackedLayout = { ...c.layout, phaseBytes, channelBytes };

  const taps: number[] = [];
  const filterPhases: number[] = [];
  const phases: number[] = [];
  let firstTerm = 0;
  for (const phase of c.phases) {
    const count = phase.rowTaps.length * phase.columnTaps.length;
    filterPhases.push(count, taps.length / 2, firstTerm);
    const terms = paddedTerms(count * c.channels);
    phases.push(terms, firstTerm, phase.firstRow, phase.firstRow + phase.rows, phase.columns);
    phases.push(4 * phase.shift, phase.outRow, phase.outRowStep, phase.outColumn, phase.outColumnStep);
    firstTerm += terms;
    for (const row of phase.rowTaps) {
      for (const column of phase.columnTaps) {
        const plane = (row.phase * layout.phasesWidth + column.phase) * phaseBytes;
        taps.push(4 * (row.index * c.kernelWidth + column.index));
        taps.push(plane + 4 * (row.distance * layout.pitch + column.distance));
      }
    }
  }

  const filters = sink.temporary(4 * TILE * panels * c.groups * firstTerm);
  const offsets = sink.temporary(4 * firstTerm);
  const filterWords = [c.filters, filters, offsets, c.groups, c.lanes, 4 * c.laneStride, 4 * c.groupStride];
  const imageWords = [c.channels, 4 * c.channelStride, channelBytes, c.phases.length, panels];
  sink.submit(op.PACK_FILTERS, c.groups * panels, [...filterWords, ...imageWords, ...filterPhases, ...taps]);

  const scratchBytes = c.isPacked ? Math.ceil((c.channels * channelBytes + 64) / 64) * 64 : 0;
  const scratch = c.isPacked ? sink.temporary(sink.threads * scratchBytes) : 0;
  const rowBlocks = Math.ceil(c.rows / block.rows);
  const panelBlocks = Math.ceil(panels / block.panels);
  const words = [c.image, filters, offsets, c.out, c.groups, c.channels, c.lanes, panels, c.outHeight, c.outWidth];
  words.push(block.rows, rowBlocks, block.panels, panelBlocks, c.extraRows, scratch, scratchBytes);
  const units = c.batch * c.groups * rowBlocks * panelBlocks;
  const perUnit = (block.rows * c.outWidth * c.lanes * firstTerm) / panelBlocks;
  const unitsPerTask = Math.max(1, Math.min(Math.floor(TASK_PRODUCTS / perUnit), Math.ceil(units / ENOUGH_TASKS)));
  words.push(unitsPerTask, units, c.phases.length);
  sink.submit(op.CONVOLVE, Math.ceil(units / unitsPerTask), [...words, ...layoutWords(layout), ...phases]);
}

export const conv2d: Lowering = (launch) => {
  const p = flattened(conv2dParams(launch));
  const { height, width } = axes(p);
  const rowTaps = forwardTaps(height);
  const columnTaps = forwardTaps(width);
  const taps = p.kernelHeight * p.kernelWidth;
  const channels = p.inChannels / p.groups;
  const reach = largest(columnTaps.map((tap) => tap.distance));
  submit(launch.sink, {
    image: launch.address('x'),
    filters: launch.address('w'),
    out: launch.address('y'),
    batch: p.batch,
    groups: p.groups,
    channels,
    lanes: p.outChannels / p.groups,
    laneStride: channels * taps,
    channelStride: taps,
    groupStride: (p.outChannels / p.groups) * channels * taps,
    kernelWidth: p.kernelWidth,
    outHeight: p.outHeight,
    outWidth: p.outWidth,
    rows: p.outHeight,
    extraRows: largest(rowTaps.map((tap) => tap.distance)),
    layout: {
      height: p.inHeight,
      width: p.inWidth,
      stepHeight: p.strideHeight,
      stepWidth: p.strideWidth,
      phasesHeight: largest(rowTaps.map((tap) => tap.phase)) + 1,
      phasesWidth: largest(columnTaps.map((tap) => tap.phase)) + 1,
      padTop: p.paddingHeight,
      padLeft: p.paddingWidth,
      pitch: p.outWidth + reach,
    },
    isPacked: !isPointwise(p),
    phases: [
      {
        rowTaps,
        columnTaps,
        firstRow: 0,
        rows: p.outHeight,
        columns: p.outWidth,
        shift: 0,
        outRow: 0,
        outRowStep: 1,
        outColumn: 0,
        outColumnStep: 1,
      },
    ],
  });
};

export const conv2dInputGrad: Lowering = (launch) => {
  const p = flattened(conv2dParams(launch));
  const { height, width } = axes(p);
  const rowPhases = gradientPhases(height);
  const columnPhases = gradientPhases(width);
  const taps = p.kernelHeight * p.kernelWidth;
  const rows = largest(rowPhases.phases.map((phase) => phase.origin + phase.count));
  const columns = largest(columnPhases.phases.map((phase) => phase.origin + phase.count));
  const inChannels = p.inChannels / p.groups;
  submit(launch.sink, {
    image: launch.address('dy'),
    filters: launch.address('w'),
    out: launch.address('dx'),
    batch: p.batch,
    groups: p.groups,
    channels: p.outChannels / p.groups,
    lanes: inChannels,
    laneStride: taps,
    channelStride: inChannels * taps,
    groupStride: (p.outChannels / p.groups) * inChannels * taps,
    kernelWidth: p.kernelWidth,
    outHeight: p.inHeight,
    outWidth: p.inWidth,
    rows,
    extraRows: rowPhases.reach,
    layout: {
      height: p.outHeight,
      width: p.outWidth,
      stepHeight: 1,
      stepWidth: 1,
      phasesHeight: 1,
      phasesWidth: 1,
      padTop: rowPhases.reach,
      padLeft: columnPhases.reach,
      pitch: columns + columnPhases.reach,
    },
    isPacked: !isPointwise(p),
    phases: rowPhases.phases.flatMap((row) =>
      columnPhases.phases.map((column) => ({
        rowTaps: row.taps,
        columnTaps: column.taps,
        firstRow: row.origin,
        rows: row.count,
        columns: column.count,
        shift: column.origin,
        outRow: row.first,
        outRowStep: p.strideHeight,
        outColumn: column.first,
        outColumnStep: p.strideWidth,
      })),
    ),
  });
};
