/** Lowering of the weight gradient of a convolution. */
import type { Conv2dParams } from '../../../kernels/conv2d.ts';
import * as op from '../operations.ts';
import type { Lowering } from './context.ts';
import { conv2dParams } from './conv2d.ts';
import { axes, flattened, forwardTaps, isPointwise, largest, layoutWords, type PackedLayout } from './geometry.ts';

/** The packed rows of a chunk are kept to this size where they can be. */
const CHUNK_BYTES = 128 * 1024;
/** Vectors of four columns in a chunk, if the images are small: enough to pay for fetching and adding the sums of a tile. */
const CHUNK_VECTORS = 256;
const ENOUGH_TASKS = 12;

/** Rows of a split must be whole images if images are to be seen as one row. */
function arranged(p: Conv2dParams, splits: number): Conv2dParams {
  const rowsPerSplit = Math.ceil((p.batch * p.outHeight) / splits);
  return rowsPerSplit % p.outHeight === 0 ? flattened(p) : p;
}

export const conv2dWeightGrad: Lowering = (launch) => {
  const { sink, address } = launch;
  const splits = launch.scalar('splits');
  const original = conv2dParams(launch);
  if (original.outHeight * original.outWidth * original.batch === 0) {
    const count =
      splits *
      original.outChannels *
      (original.inChannels / original.groups) *
      original.kernelHeight *
      original.kernelWidth;
    if (count > 0) sink.submit(op.FILL, Math.ceil(count / 16384), [address('dw'), count, 0]);
    return;
  }
  const p = arranged(original, splits);
  const { height, width } = axes(p);
  const rowTaps = forwardTaps(height);
  const columnTaps = forwardTaps(width);
  const taps = p.kernelHeight * p.kernelWidth;
  const channels = p.inChannels / p.groups;
  const lanes = p.outChannels / p.groups;
  const vectors = Math.ceil(p.outWidth / 4);
  const isAligned = p.outWidth % 4 === 0;
  const packsImage = !(isPointwise(p) && isAligned);
  const extraRows = largest(rowTaps.map((tap) => tap.distance));
  const pitch = packsImage ? 4 * vectors + largest(columnTaps.map((tap) => tap.distance)) : p.inWidth;
  const phasesHeight = largest(rowTaps.map((tap) => tap.phase)) + 1;
  const phasesWidth = largest(columnTaps.map((tap) => tap.phase)) + 1;

  let channelsPerBlock = Math.max(1, Math.min(channels, Math.ceil(64 / taps)));
  let lanesPerBlock = Math.min(lanes, 128);
  const tasks = () => splits * p.groups * Math.ceil(channels / channelsPerBlock) * Math.ceil(lanes / lanesPerBlock);
  while (tasks() < ENOUGH_TASKS && channelsPerBlock > 1) channelsPerBlock = Math.ceil(channelsPerBlock / 2);
  while (tasks() < ENOUGH_TASKS && lanesPerBlock > 8) lanesPerBlock = Math.ceil(lanesPerBlock / 8) * 4;

  const rowBytes = 4 * (channelsPerBlock * phasesHeight * phasesWidth * pitch + lanesPerBlock * 4 * vectors);
  const rowsPerChunk = Math.max(1, Math.min(p.outHeight, Math.floor(CHUNK_BYTES / rowBytes) - extraRows));
  const imagesPerChunk =
    rowsPerChunk < p.outHeight
      ? 1
      : Math.max(
          1,
          Math.min(
            p.batch,
            Math.floor(CHUNK_VECTORS / (vectors * p.outHeight)),
            Math.floor(CHUNK_BYTES / (rowBytes * (p.outHeight + extraRows))),
          ),
        );

  const phaseBytes = 4 * pitch * (packsImage ? rowsPerChunk + extraRows : p.inHeight);
  const xLayout: PackedLayout = {
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
  const dyPitch = 4 * vectors;
  const dyLayout: PackedLayout = {
    height: p.outHeight,
    width: p.outWidth,
    stepHeight: 1,
    stepWidth: 1,
    phasesHeight: 1,
    phasesWidth: 1,
    padTop: 0,
    padLeft: 0,
    pitch: dyPitch,
    phaseBytes: 4 * dyPitch * rowsPerChunk,
    channelBytes: 4 * dyPitch * rowsPerChunk,
  };
  const tapOffsets = rowTaps.flatMap((row) =>
    columnTaps.map(
      (column) => (row.phase * phasesWidth + column.phase) * phaseBytes + 4 * (row.distance * pitch + column.distance),
    ),
  );

  const terms = channelsPerBlock * taps;
  const round = (bytes: number) => Math.ceil(bytes / 64) * 64;
  const offsetBytes = round(4 * terms);
  const sumBytes = 256 * Math.ceil(terms / 4) * Math.ceil(lanesPerBlock / 4);
  const imageBytes = packsImage ? round(imagesPerChunk * channelsPerBlock * xLayout.channelBytes + 64) : 0;
  const gradientBytes = isAligned ? 0 : round(imagesPerChunk * lanesPerBlock * dyLayout.channelBytes + 64);
  const scratchBytes = 64 + offsetBytes + sumBytes + imageBytes + gradientBytes;
  const scratch = sink.temporary(sink.threads * scratchBytes);
  const words = [address('x'), address('dy'), address('dw'), p.groups, channels, lanes, p.outHeight, p.outWidth];
  words.push(p.batch, splits, channelsPerBlock, Math.ceil(channels / channelsPerBlock));
  words.push(lanesPerBlock, Math.ceil(lanes / lanesPerBlock), rowsPerChunk, imagesPerChunk, extraRows, taps);
  words.push(packsImage ? 1 : 0, isAligned ? 0 : 1, scratch, scratchBytes, offsetBytes, sumBytes, imageBytes);
  sink.submit(op.WEIGHT_GRAD, tasks(), [...words, ...layoutWords(xLayout), ...layoutWords(dyLayout), ...tapOffsets]);
};
