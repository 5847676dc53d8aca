/** Pooling over planes. A task treats `planesPerTask` of them. */

@unmanaged
class PoolParams {
  x: usize;
  y: usize;
  indices: usize;
  planes: u32;
  inHeight: i32;
  inWidth: i32;
  outHeight: i32;
  outWidth: i32;
  kernelHeight: i32;
  kernelWidth: i32;
  strideHeight: i32;
  strideWidth: i32;
  paddingHeight: i32;
  paddingWidth: i32;
  dilationHeight: i32;
  dilationWidth: i32;
  countPadding: u32;
  planesPerTask: u32;
}

/** The first tap of a window that is not before the edge. */
@inline
function firstTap(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

/** One past the last tap that is not after the edge. */
@inline
function endTap(start: i32, dilation: i32, taps: i32, length: i32): i32 {
  return start >= length ? 0 : min<i32>(taps, (length - 1 - start) / dilation + 1);
}

/** Elements of a window along one axis that the average divides by. */
@inline
function extent(start: i32, taps: i32, length: i32, padding: i32, countPadding: bool): i32 {
  const end = start + taps;
  return countPadding ? min<i32>(end, length + padding) - start : min<i32>(end, length) - max<i32>(start, 0);
}

/** One window, clipped at the edges of the plane; `h` and `w` are its first row and column, `out` the byte offset of its result. */
function maxOfWindow(p: PoolParams, x: usize, h: i32, w: i32, out: usize): void {
  const firstRow = firstTap(h, p.dilationHeight);
  const endRow = endTap(h, p.dilationHeight, p.kernelHeight, p.inHeight);
  const firstColumn = firstTap(w, p.dilationWidth);
  const endColumn = endTap(w, p.dilationWidth, p.kernelWidth, p.inWidth);
  let best = (h + firstRow * p.dilationHeight) * p.inWidth + w + firstColumn * p.dilationWidth;
  let largest = load<f32>(x + best * 4);
  for (let r = firstRow; r < endRow; r++) {
    let place = (h + r * p.dilationHeight) * p.inWidth + w + firstColumn * p.dilationWidth;
    for (let c = firstColumn; c < endColumn; c++, place += p.dilationWidth) {
      const value = load<f32>(x + place * 4);
      if (value > largest) {
        largest = value;
        best = place;
      }
    }
  }
  store<f32>(p.y + out, largest);
  store<i32>(p.indices + out, best);
}

/** Every `step`-th of the floats from x on, step 1 or 2. */
@inline
function everyOther(x: usize, step: i32): v128 {
  return step == 1 ? v128.load(x) : v128.shuffle<f32>(v128.load(x), v128.load(x, 16), 0, 2, 4, 6);
}

/** Four neighbouring windows that no left or right edge clips. `step` is strideWidth, 1 or 2. */
@inline
function maxOfFourWindows(p: PoolParams, x: usize, h: i32, w: i32, out: usize, step: i32): void {
  const firstRow = firstTap(h, p.dilationHeight);
  const rows = endTap(h, p.dilationHeight, p.kernelHeight, p.inHeight) - firstRow;
  const columns = p.kernelWidth;
  const columnStep = p.dilationWidth;
  const rowStep = p.dilationHeight * p.inWidth - columns * columnStep;
  let place = (h + firstRow * p.dilationHeight) * p.inWidth + w;
  let places = i32x4.add(i32x4.splat(place), step == 1 ? i32x4(0, 1, 2, 3) : i32x4(0, 2, 4, 6));
  let largest = everyOther(x + place * 4, step);
  let best = places;
  const nextColumn = i32x4.splat(columnStep);
  const nextRow = i32x4.splat(rowStep);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      const value = everyOther(x + place * 4, step);
      const isLarger = f32x4.gt(value, largest);
      largest = v128.bitselect(value, largest, isLarger);
      best = v128.bitselect(places, best, isLarger);
      place += columnStep;
      places = i32x4.add(places, nextColumn);
    }
    place += rowStep;
    places = i32x4.add(places, nextRow);
  }
  v128.store(p.y + out, largest);
  v128.store(p.indices + out, best);
}

export function maxPool(at: usize, task: u32): void {
  const p = changetype<PoolParams>(at);
  const last = min<u32>(p.planes, (task + 1) * p.planesPerTask);
  // Windows first … end of a row lie between its left and right edges.
  const first = (p.paddingWidth + p.strideWidth - 1) / p.strideWidth;
  const room = p.inWidth + p.paddingWidth - (p.kernelWidth - 1) * p.dilationWidth - 1;
  const end = p.strideWidth > 2 || room < 0 ? 0 : min<i32>(p.outWidth, room / p.strideWidth + 1);
  for (let plane = task * p.planesPerTask; plane < last; plane++) {
    const x = p.x + plane * p.inHeight * p.inWidth * 4;
    for (let i = 0; i < p.outHeight; i++) {
      const h = i * p.strideHeight - p.paddingHeight;
      let out = (plane * p.outHeight + i) * p.outWidth * 4;
      for (let j = 0; j < p.outWidth; ) {
        const w = j * p.strideWidth - p.paddingWidth;
        const isInside = j >= first && j + 4 <= end;
        if (!isInside) maxOfWindow(p, x, h, w, out);
        else if (p.strideWidth == 1) maxOfFourWindows(p, x, h, w, out, 1);
        else maxOfFourWindows(p, x, h, w, out, 2);
        const done = isInside ? 4 : 1;
        j += done;
        out += done * 4;
      }
    }
  }
}

/** Planes belong to one task each, so their outputs may be scattered in the order of the windows. x is dx, y is dy. */
export function maxPoolGrad(at: usize, task: u32): void {
  const p = changetype<PoolParams>(at);
  const first = task * p.planesPerTask;
  const last = min<u32>(p.planes, first + p.planesPerTask);
  const inBytes = p.inHeight * p.inWidth * 4;
  const outputs = p.outHeight * p.outWidth;
  memory.fill(p.x + first * inBytes, 0, (last - first) * inBytes);
  let out = first * outputs * 4;
  for (let plane = first; plane < last; plane++) {
    const dx = p.x + plane * inBytes;
    for (let o = 0; o < outputs; o++, out += 4) {
      const place = dx + load<u32>(p.indices + out) * 4;
      store<f32>(place, load<f32>(place) + load<f32>(p.y + out));
    }
  }
}

export function avgPool(at: usize, task: u32): void {
  const p = changetype<PoolParams>(at);
  const last = min<u32>(p.planes, (task + 1) * p.planesPerTask);
  for (let plane = task * p.planesPerTask; plane < last; plane++) {
    const x = p.x + plane * p.inHeight * p.inWidth * 4;
    let y = p.y + plane * p.outHeight * p.outWidth * 4;
    for (let i = 0; i < p.outHeight; i++) {
      const h = i * p.strideHeight - p.paddingHeight;
      const endRow = min<i32>(h + p.kernelHeight, p.inHeight);
      const rows = extent(h, p.kernelHeight, p.inHeight, p.paddingHeight, p.countPadding != 0);
      for (let j = 0; j < p.outWidth; j++, y += 4) {
        const w = j * p.strideWidth - p.paddingWidth;
        const endColumn = min<i32>(w + p.kernelWidth, p.inWidth);
        const columns = extent(w, p.kernelWidth, p.inWidth, p.paddingWidth, p.countPadding != 0);
        let total: f64 = 0;
        for (let r = max<i32>(h, 0); r < endRow; r++) {
          for (let c = max<i32>(w, 0); c < endColumn; c++) total += load<f32>(x + (r * p.inWidth + c) * 4) as f64;
        }
        store<f32>(y, (total / ((rows * columns) as f64)) as f32);
      }
    }
  }
}

/** x is dx, y is dy. */
export function avgPoolGrad(at: usize, task: u32): void {
  const p = changetype<PoolParams>(at);
  const first = task * p.planesPerTask;
  const last = min<u32>(p.planes, first + p.planesPerTask);
  const inBytes = p.inHeight * p.inWidth * 4;
  memory.fill(p.x + first * inBytes, 0, (last - first) * inBytes);
  for (let plane = first; plane < last; plane++) {
    const dx = p.x + plane * inBytes;
    let dy = p.y + plane * p.outHeight * p.outWidth * 4;
    for (let i = 0; i < p.outHeight; i++) {
      const h = i * p.strideHeight - p.paddingHeight;
      const endRow = min<i32>(h + p.kernelHeight, p.inHeight);
      const rows = extent(h, p.kernelHeight, p.inHeight, p.paddingHeight, p.countPadding != 0);
      for (let j = 0; j < p.outWidth; j++, dy += 4) {
        const w = j * p.strideWidth - p.paddingWidth;
        const endColumn = min<i32>(w + p.kernelWidth, p.inWidth);
        const columns = extent(w, p.kernelWidth, p.inWidth, p.paddingWidth, p.countPadding != 0);
        const share: f32 = load<f32>(dy) / ((rows * columns) as f32);
        for (let r = max<i32>(h, 0); r < endRow; r++) {
          for (let c = max<i32>(w, 0); c < endColumn; c++) {
            const place = dx + (r * p.inWidth + c) * 4;
            store<f32>(place, load<f32>(place) + share);
          }
        }
      }
    }
  }
}
