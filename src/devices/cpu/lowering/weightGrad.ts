/** Lowering of the weight gradient of a convolution: partial sums of parts of the pixels, then the sum of the parts. */
import { REDUCE_OPERATORS } from '../../../kernels/reduce.ts';
import { NARROW, STEP, TILE } from '../layout.ts';
import * as op from '../operations.ts';
import { type CommandSink, chunks, type Lowering } from './context.ts';
import { conv2dParams } from './conv2d.ts';
import { type Axis, axes, flattened, layoutWords } from './geometry.ts';
import { narrowWeightGrad } from './narrowGrad.ts';
import { columnBlocks } from './reduce.ts';

/** Channels and outputs of a task: packing a pixel costs their sum, multiplying it their product. */
const MOST_CHANNELS = 128;
/** Pixels that are packed and multiplied at once: their panels should stay in the first-level cache. */
const CHUNK_PIXELS = 256;
/** Pixels that are added up in one sum, at most, before parts are added to each other. */
const PART_PIXELS = 8192;
/** With fewer tasks than this, the pixels are dealt out in more parts. */
const ENOUGH_TASKS = 16;

/** How one axis of x is packed. With a single tap, only every `stride`-th element is of use. */
function sampling({ kernel, stride, dilation, padding, output }: Axis) {
  const step = kernel === 1 ? stride : 1;
  const outputStride = stride / step;
  const reach = (kernel - 1) * dilation + 1;
  return { step, outputStride, reach, padding, length: (output - 1) * outputStride + reach };
}

const lanesUsed = (count: number) => count / (4 * Math.ceil(count / 4));

/** dw, or its parts in temporary memory that `addParts` adds up. */
function addParts(
  sink: CommandSink,
  partial: number,
  out: number,
  splits: number,
  parts: number,
  weights: number,
): void {
  const blocks = columnBlocks(weights);
  const words = [REDUCE_OPERATORS.indexOf('sum'), partial, out, splits, parts, weights, blocks];
  sink.submit(op.REDUCE_COLUMNS, splits * blocks, words);
}

export const conv2dWeightGrad: Lowering = (launch) => {
  const { sink, address } = launch;
  const splits = launch.scalar('splits');
  const asked = conv2dParams(launch);
  const taps = asked.kernelHeight * asked.kernelWidth;
  const channels = asked.inChannels / asked.groups;
  const lanes = asked.outChannels / asked.groups;
  const weights = asked.outChannels * channels * taps;
  const rowsAsked = asked.batch * asked.outHeight;
  if (splits * weights === 0) return;
  if (rowsAsked * asked.outWidth === 0) {
    sink.submit(op.FILL, chunks(splits * weights), [address('dw'), splits * weights, 0]);
    return;
  }
  if (channels === 1 && lanes <= NARROW) {
    narrowWeightGrad(launch, asked, splits);
    return;
  }
  // Images can be seen as one row each where no split ends within an image.
  const p = Math.ceil(rowsAsked / splits) % asked.outHeight === 0 ? flattened(asked) : asked;
  const rows = p.batch * p.outHeight;
  const rowsPerSplit = Math.ceil(rows / splits);
  const axis = axes(p);
  const height = sampling(axis.height);
  const width = sampling(axis.width);
  const byTaps = p.dilationWidth === 1 && p.kernelWidth > 1 && lanesUsed(p.kernelWidth) >= lanesUsed(channels);

  const channelsPerBlock = Math.min(channels, MOST_CHANNELS);
  const lanesPerBlock = Math.min(lanes, MOST_CHANNELS);
  const channelBlocks = Math.ceil(channels / channelsPerBlock);
  const laneBlocks = Math.ceil(lanes / lanesPerBlock);
  const blocks = splits * p.groups * channelBlocks * laneBlocks;
  const rowsPerChunk = Math.max(1, Math.min(p.outHeight, Math.floor(CHUNK_PIXELS / p.outWidth)));
  const imagePixels = rowsPerChunk * p.outWidth;
  const imagesPerChunk =
    rowsPerChunk < p.outHeight ? 1 : Math.max(1, Math.min(p.batch, Math.floor(CHUNK_PIXELS / imagePixels)));
  const chunkRows = imagesPerChunk * rowsPerChunk;
  const wanted = Math.max(Math.ceil(ENOUGH_TASKS / blocks), Math.ceil((rowsPerSplit * p.outWidth) / PART_PIXELS));
  const rowsPerPart = Math.ceil(Math.ceil(rowsPerSplit / wanted) / chunkRows) * chunkRows;
  const parts = Math.ceil(rowsPerSplit / rowsPerPart);

  const packedRows = (rowsPerChunk - 1) * height.outputStride + height.reach;
  const planeBytes = packedRows * width.length * (byTaps ? 4 : 16);
  const layout = {
    height: p.inHeight,
    width: p.inWidth,
    stepHeight: height.step,
    stepWidth: width.step,
    phasesHeight: 1,
    phasesWidth: 1,
    padTop: p.paddingHeight,
    padLeft: p.paddingWidth,
    pitch: width.length,
    phaseBytes: planeBytes,
    channelBytes: planeBytes,
  };
  const vectorsPerChannel = byTaps ? p.kernelHeight * Math.ceil(p.kernelWidth / 4) : taps;
  const vectors = Math.ceil(channelsPerBlock / (byTaps ? 1 : 4)) * vectorsPerChannel;
  const round = (bytes: number) => Math.ceil(bytes / 64) * 64;
  const panels = Math.ceil(lanesPerBlock / TILE);
  const pixels = Math.ceil((imagesPerChunk * imagePixels) / STEP) * STEP;
  const offsetBytes = round(4 * (pixels + STEP));
  const sumBytes = Math.ceil(vectors / 2) * panels * 256;
  const panelBytes = 4 * TILE * pixels;
  const imageBytes = round(planeBytes * imagesPerChunk * Math.ceil(channelsPerBlock / (byTaps ? 1 : 4)) + 64);
  const scratchBytes = 64 + offsetBytes + round(16 * vectors) + 64 + sumBytes + panels * panelBytes + imageBytes;
  const scratch = sink.temporary(sink.threads * scratchBytes);
  const out = parts === 1 ? address('dw') : sink.temporary(4 * splits * parts * weights);

  const words = [address('x'), address('dy'), out, p.groups, channels, lanes, p.outHeight, p.outWidth];
  words.push(rows, rowsPerSplit, parts, rowsPerPart, channelsPerBlock, channelBlocks, lanesPerBlock, laneBlocks);
  words.push(rowsPerChunk, imagesPerChunk, p.kernelHeight, p.kernelWidth);
  words.push(height.outputStride, width.outputStride, p.dilationHeight, p.dilationWidth, byTaps ? 1 : 0, height.reach);
  words.push(planeBytes, scratch, scratchBytes, offsetBytes, sumBytes, panelBytes);
  sink.submit(op.WEIGHT_GRAD, blocks * parts, [...words, ...layoutWords(layout)]);
  if (parts > 1) addParts(sink, out, address('dw'), splits, parts, weights);
};
