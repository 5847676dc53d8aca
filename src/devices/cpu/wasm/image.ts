/**
 * Images made ready for convolution: zero-padded, and split by phase where the stride is not 1, so that the pixels
 * which neighbouring outputs read with one tap lie side by side.
 *
 *   packed[c, φh, φw, r, q] = x[c, (first + r)·stepH + φh − padTop, q·stepW + φw − padLeft], zero outside the image
 */

@unmanaged
export class ImageLayout {
  /** The image: one channel after the other, each (height, width). */
  height: i32;
  width: i32;
  stepHeight: i32;
  stepWidth: i32;
  /** Phases that some tap reads: 0 … phasesHeight − 1 of stepHeight, and so on. */
  phasesHeight: i32;
  phasesWidth: i32;
  padTop: i32;
  padLeft: i32;
  /** Floats in a packed row. */
  pitch: i32;
  /** Bytes of a packed plane of one phase, and of all phases of one channel. */
  phaseBytes: u32;
  channelBytes: u32;
}

/** Every second float of the eight at x. */
@inline
function evens(x: usize): v128 {
  return v128.shuffle<f32>(v128.load(x), v128.load(x, 16), 0, 2, 4, 6);
}

/** One row of `pitch` floats: zeros before `begin`, then every `step`-th float from x, then zeros from `end`. */
@inline
function packRow(x: usize, out: usize, begin: i32, end: i32, pitch: i32, step: i32): void {
  let q: i32 = 0;
  for (; q < begin; q++) store<f32>(out + q * 4, 0);
  // A vector may run beyond `end`, but not beyond the row: what follows it may be there already.
  if (step == 1) {
    for (; q < end && q + 4 <= pitch; q += 4, x += 16) v128.store(out + q * 4, v128.load(x));
  } else if (step == 2) {
    for (; q < end && q + 4 <= pitch; q += 4, x += 32) v128.store(out + q * 4, evens(x));
  }
  for (; q < end; q++, x += step * 4) store<f32>(out + q * 4, load<f32>(x));
  for (q = max<i32>(begin, end); q < pitch; q++) store<f32>(out + q * 4, 0);
}

/** First q with q·step + offset ≥ bound, in 0 … pitch. */
@inline
function firstAtLeast(bound: i32, offset: i32, step: i32, pitch: i32): i32 {
  const distance = bound - offset;
  return distance <= 0 ? 0 : min<i32>(pitch, (distance + step - 1) / step);
}

/** Packs `rows` rows from `first` of `channels` channels. */
export function packImage(layout: ImageLayout, x: usize, channels: u32, first: i32, rows: i32, out: usize): void {
  const planeBytes = layout.height * layout.width * 4;
  const pitch = layout.pitch;
  for (let c: u32 = 0; c < channels; c++, x += planeBytes) {
    for (let phaseRow = 0; phaseRow < layout.phasesHeight; phaseRow++) {
      for (let phaseColumn = 0; phaseColumn < layout.phasesWidth; phaseColumn++) {
        const offset = phaseColumn - layout.padLeft;
        const begin = firstAtLeast(0, offset, layout.stepWidth, pitch);
        const end = firstAtLeast(layout.width, offset, layout.stepWidth, pitch);
        const phase = phaseRow * layout.phasesWidth + phaseColumn;
        let to = out + c * layout.channelBytes + phase * layout.phaseBytes;
        let row = first * layout.stepHeight + phaseRow - layout.padTop;
        for (let r = 0; r < rows; r++, to += pitch * 4, row += layout.stepHeight) {
          if (row < 0 || row >= layout.height) packRow(0, to, pitch, pitch, pitch, 1);
          else {
            const from = x + (row * layout.width + begin * layout.stepWidth + offset) * 4;
            packRow(from, to, begin, end, pitch, layout.stepWidth);
          }
        }
      }
    }
  }
}
