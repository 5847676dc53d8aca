/** Lowering of the weight gradient of depthwise convolutions (see `../wasm/narrowGrad.ts`). */
import type { Conv2dParams } from '../../../kernels/conv2d.ts';
import * as op from '../operations.ts';
import type { LoweredLaunch } from './context.ts';
import { axes, forwardTaps, largest, layoutWords, type PackedLayout } from './geometry.ts';

/** Packed rows of a plane, at most: they should stay in the first-level cache. */
const PLANE_BYTES = 16 * 1024;
/** Products of a task: some ten microseconds of work. */
const TASK_PRODUCTS = 200_000;

const roundUp = (value: number, multiple: number) => Math.ceil(value / multiple) * multiple;

export function narrowWeightGrad({ sink, address }: LoweredLaunch, p: Conv2dParams, splits: number): void {
  const { height, width } = axes(p);
  const rowTaps = forwardTaps(height);
  const columnTaps = forwardTaps(width);
  const phasesHeight = largest(rowTaps.map((tap) => tap.phase)) + 1;
  const phasesWidth = largest(columnTaps.map((tap) => tap.phase)) + 1;
  const extraRows = largest(rowTaps.map((tap) => tap.distance));
  const dyPitch = roundUp(p.outWidth, 4);
  const pitch = dyPitch + largest(columnTaps.map((tap) => tap.distance));
  const rowBytes = 4 * pitch * phasesHeight * phasesWidth;
  const rowsPerChunk = Math.max(1, Math.min(p.outHeight, Math.floor(PLANE_BYTES / rowBytes) - extraRows));
  const phaseBytes = 4 * pitch * (rowsPerChunk + extraRows);
  const x: PackedLayout = {
    height: p.inHeight,
    width: p.inWidth,
    stepHeight: p.strideHeight,
    stepWidth: p.strideWidth,
    phasesHeight,
    phasesWidth,
    padTop: p.paddingHeight,
    padLeft: p.paddingWidth,
    pitch,
    phaseBytes,
    channelBytes: phaseBytes * phasesHeight * phasesWidth,
  };
  const dyBytes = 4 * dyPitch * rowsPerChunk;
  const dy: PackedLayout = {
    height: p.outHeight,
    width: p.outWidth,
    stepHeight: 1,
    stepWidth: 1,
    phasesHeight: 1,
    phasesWidth: 1,
    padTop: 0,
    padLeft: 0,
    pitch: dyPitch,
    phaseBytes: dyBytes,
    channelBytes: dyBytes,
  };
  const offsets = rowTaps.flatMap((row) =>
    columnTaps.map(
      (column) => (row.phase * phasesWidth + column.phase) * phaseBytes + 4 * (row.distance * pitch + column.distance),
    ),
  );
  const taps = offsets.length;
  // Tiles of four taps: the last repeats its last tap, and those sums are not written.
  while (offsets.length % 4 !== 0) offsets.push(offsets.at(-1)!);

  const lanes = p.outChannels / p.groups;
  const rows = p.batch * p.outHeight;
  const rowsPerSplit = Math.ceil(rows / splits);
  const groupsPerTask = Math.max(1, Math.floor(TASK_PRODUCTS / (rowsPerSplit * p.outWidth * lanes * taps)));
  const groupBlocks = Math.ceil(p.groups / groupsPerTask);
  const sumBytes = roundUp(16 * lanes * offsets.length, 64);
  const imageBytes = roundUp(x.channelBytes + 64, 64);
  const scratchBytes = sumBytes + imageBytes + roundUp(dyBytes + 64, 64);
  const scratch = sink.temporary(sink.threads * scratchBytes);
  const words = [address('x'), address('dy'), address('dw'), p.groups, lanes, p.outHeight, p.outWidth];
  words.push(rows, rowsPerSplit, groupsPerTask, groupBlocks, rowsPerChunk, extraRows, taps);
  words.push(scratch, scratchBytes, sumBytes, imageBytes);
  sink.submit(op.NARROW_WEIGHT_GRAD, splits * groupBlocks, [
    ...words,
    ...layoutWords(x),
    ...layoutWords(dy),
    ...offsets,
  ]);
}
