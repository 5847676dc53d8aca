/**
 * The shortcut without parameters of He et al. 2016, section 4.2 ("option A"): where a stage halves the image and widens the
 * channels, the shortcut takes every second pixel and adds channels of zeros.
 *
 *   y[n, c + before, i, j] = x[n, c, s·i, s·j],  0 in the added channels
 *   →  dx is dy put back to where it came from, 0 elsewhere: the same move with its ends exchanged
 */
import { record } from '../../autograd/tape.ts';
import { eight } from '../../kernels/contract.ts';
import { stridedCopy } from '../../kernels/copy.ts';
import { zeros } from '../../tensor/create.ts';
import { launch } from '../../tensor/launch.ts';
import { contiguousStrides, type Shape, shapeText, sizeOf } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';

/** Where a block of elements lies in a tensor of `shape`. */
interface Place {
  readonly shape: Shape;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** x (N, C, H, W) → (N, channels, ⌈H/stride⌉, ⌈W/stride⌉), half of the new channels before and half after. Two launches. */
export function subsample(x: Tensor, stride: number, channels: number): Tensor {
  const [batch, inChannels, height, width] = x.shape as [number, number, number, number];
  if (x.rank !== 4 || channels < inChannels)
    throw new RangeError(`subsample: x ${shapeText(x.shape)} cannot be given ${channels} channels`);
  const block = [batch, inChannels, Math.ceil(height / stride), Math.ceil(width / stride)];
  const shape = [batch, channels, ...block.slice(2)];
  const [xStrides, strides] = [contiguousStrides(x.shape), contiguousStrides(shape)];
  const from = { shape: x.shape, offset: 0, strides: xStrides.map((s, axis) => (axis < 2 ? s : s * stride)) };
  const to = { shape, offset: Math.floor((channels - inChannels) / 2) * strides[1]!, strides };
  return move(x, block, from, to);
}

/** Zeros, and in them the block of x. Linear, with the exchange of its ends as transpose, to any order. */
function move(x: Tensor, block: Shape, from: Place, to: Place): Tensor {
  const out = zeros(to.shape, { device: x.device });
  const params = {
    count: sizeOf(block),
    rank: block.length,
    xOffset: from.offset,
    outOffset: to.offset,
    shape: eight(block, 1),
    xStrides: eight(from.strides),
    outStrides: eight(to.strides),
  };
  launch(stridedCopy, {}, params, { x, out });
  return record('subsample', [x], out, [], (dy) => [move(dy, block, to, from)]);
}
