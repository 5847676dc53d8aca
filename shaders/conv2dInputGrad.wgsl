// conv2dInputGrad: dx[n, c, h, w] = Σ dy[n, o, i, j]·w[o, c, p, q] over the (o, p, q, i, j) with
//   i·strideHeight + p·dilationHeight − paddingHeight = h  and  j·strideWidth + q·dilationWidth − paddingWidth = w
//
// dy: (batch, outChannels, outHeight, outWidth)
// w: (outChannels, inChannels/groups, kernelHeight, kernelWidth)
// dx: (batch, inChannels, inHeight, inWidth)
//
// With a stride s, an h meets only those taps p for which h + padding − p·dilation is a multiple of s. So dx is split into
// s·s phases by (h + padding) mod s and (w + padding) mod s: in a phase all elements meet the same taps p₀, p₀ + step, …, and
// h = first + s·u, i = origin + u − t·back for the t-th of them. Each phase is a convolution of stride 1 without holes, computed as an
// implicit matrix product in each group: dx = W·Y, where the rows are the group's input channels, the columns the places
// (n, u, v), and k runs over (o, t of p, t of q).
//
// Work: as in matmul.wgsl, with the same tiles and the same 8 × 8 block to a thread. Tiles are numbered rows first, then columns (as
// many as the largest phase has), then groups, then phases. A thread fills the same four columns of tileY for every k.
// With `direct` (groups of few channels, where a tile would be mostly empty) each thread computes one element of dx.

override direct: bool = false;
override threadRows: u32 = 8u;
override threadColumns: u32 = 8u;
override depth: u32 = 8u;

override rowSlots: u32 = 2u * threadRows;
override columnSlots: u32 = 2u * threadColumns;
override threads: u32 = threadRows * threadColumns;

struct Params {
  batch: u32,
  inChannels: u32,
  inHeight: u32,
  inWidth: u32,
  outChannels: u32,
  outHeight: u32,
  outWidth: u32,
  kernelHeight: u32,
  kernelWidth: u32,
  strideHeight: u32,
  strideWidth: u32,
  paddingHeight: u32,
  paddingWidth: u32,
  dilationHeight: u32,
  dilationWidth: u32,
  groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

var<workgroup> tileW: array<vec4<f32>, depth * (2u * threadRows + 1u)>;
var<workgroup> tileY: array<vec4<f32>, depth * (2u * threadColumns + 1u)>;

const STEPS = vec4<u32>(0u, 1u, 2u, 3u);

fn groupIn() -> u32 {
  return params.inChannels / params.groups;
}

fn groupOut() -> u32 {
  return params.outChannels / params.groups;
}

// One axis of a phase.
struct Phase {
  stride: u32,
  // The elements first, first + stride, … of dx: `count` of them.
  first: u32,
  count: u32,
  // The taps tap, tap + step, … of the kernel: `taps` of them.
  tap: u32,
  step: u32,
  taps: u32,
  // Element u meets the t-th tap at origin + u − t·back of dy.
  origin: i32,
  back: i32,
}

fn phaseOf(residue: u32, stride: u32, padding: u32, dilation: u32, kernel: u32, length: u32) -> Phase {
  let first = (residue + stride - padding % stride) % stride;
  var step = 1u;
  while (step * dilation % stride != 0u) {
    step++;
  }
  var tap = 0u;
  while (tap < step && tap * dilation % stride != residue) {
    tap++;
  }
  let taps = select(0u, (kernel - tap + step - 1u) / step, tap < step && tap < kernel);
  return Phase(
    stride,
    first,
    select(0u, (length - first + stride - 1u) / stride, first < length),
    tap,
    step,
    taps,
    (i32(first + padding) - i32(tap * dilation)) / i32(stride),
    i32(step * dilation / stride),
  );
}

fn phaseOfRows(residue: u32) -> Phase {
  return phaseOf(
    residue,
    params.strideHeight,
    params.paddingHeight,
    params.dilationHeight,
    params.kernelHeight,
    params.inHeight,
  );
}

fn phaseOfColumns(residue: u32) -> Phase {
  return phaseOf(
    residue,
    params.strideWidth,
    params.paddingWidth,
    params.dilationWidth,
    params.kernelWidth,
    params.inWidth,
  );
}

// Four places (n, u, v), as what they read: the first channel of the image in the group, and i and j at the first tap.
struct Windows {
  start: vec4<u32>,
  i: vec4<i32>,
  j: vec4<i32>,
}

fn windows(image: vec4<u32>, u: vec4<u32>, v: vec4<u32>, group: u32, rows: Phase, columns: Phase) -> Windows {
  return Windows(
    (image * params.outChannels + group * groupOut()) * params.outHeight * params.outWidth,
    vec4<i32>(u) + rows.origin,
    vec4<i32>(v) + columns.origin,
  );
}

// What four places read of dy at k = (o, t of p, t of q); zero outside of dy, and beyond the last k.
fn loadY(window: Windows, rows: Phase, columns: Phase, k: u32) -> vec4<f32> {
  let taps = rows.taps * columns.taps;
  if (k >= groupOut() * taps) {
    return vec4<f32>();
  }
  // A negative i or j becomes a large unsigned number.
  let i = vec4<u32>(window.i - i32(k % taps / columns.taps) * rows.back);
  let j = vec4<u32>(window.j - i32(k % columns.taps) * columns.back);
  let inside = (i < vec4<u32>(params.outHeight)) & (j < vec4<u32>(params.outWidth));
  let at = select(vec4<u32>(), window.start + (k / taps * params.outHeight + i) * params.outWidth + j, inside);
  return select(vec4<f32>(), vec4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]), inside);
}

// Where the weight of the group's first input channel is, at k.
fn weightAt(group: u32, rows: Phase, columns: Phase, k: u32) -> u32 {
  let taps = rows.taps * columns.taps;
  let o = group * groupOut() + k / taps;
  let p = rows.tap + k % taps / columns.taps * rows.step;
  let q = columns.tap + k % columns.taps * columns.step;
  return (o * groupIn() * params.kernelHeight + p) * params.kernelWidth + q;
}

// The weights of four input channels at k; zero beyond the last k.
fn loadW(group: u32, row: u32, rows: Phase, columns: Phase, k: u32) -> vec4<f32> {
  if (k >= groupOut() * rows.taps * columns.taps) {
    return vec4<f32>();
  }
  let channels = min(row + STEPS * rowSlots, vec4<u32>(groupIn() - 1u));
  let at = weightAt(group, rows, columns, k) + channels * params.kernelHeight * params.kernelWidth;
  return vec4<f32>(w[at.x], w[at.y], w[at.z], w[at.w]);
}

fn outer(left: vec4<f32>, right: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(left.x * right, left.y * right, left.z * right, left.w * right);
}

// `starts`: where the four columns are in dx, for the first channel of the group.
fn storeRow(starts: vec4<u32>, inside: vec4<bool>, row: u32, values: vec4<f32>) {
  if (row >= groupIn()) {
    return;
  }
  let at = starts + row * params.inHeight * params.inWidth;
  if (inside.x) { dx[at.x] = values.x; }
  if (inside.y) { dx[at.y] = values.y; }
  if (inside.z) { dx[at.z] = values.z; }
  if (inside.w) { dx[at.w] = values.w; }
}

fn storeBlocks(
  group: u32,
  row: u32,
  column: u32,
  rows: Phase,
  columns: Phase,
  top: mat4x4<f32>,
  bottom: mat4x4<f32>,
) {
  let places = rows.count * columns.count;
  let place = column + STEPS * columnSlots;
  let inside = place < vec4<u32>(params.batch * places);
  let h = rows.first + place % places / columns.count * rows.stride;
  let w = columns.first + place % columns.count * columns.stride;
  let channel = place / places * params.inChannels + group * groupIn();
  let starts = (channel * params.inHeight + h) * params.inWidth + w;
  storeRow(starts, inside, row, top[0]);
  storeRow(starts, inside, row + rowSlots, top[1]);
  storeRow(starts, inside, row + 2u * rowSlots, top[2]);
  storeRow(starts, inside, row + 3u * rowSlots, top[3]);
  storeRow(starts, inside, row + threadRows, bottom[0]);
  storeRow(starts, inside, row + threadRows + rowSlots, bottom[1]);
  storeRow(starts, inside, row + threadRows + 2u * rowSlots, bottom[2]);
  storeRow(starts, inside, row + threadRows + 3u * rowSlots, bottom[3]);
}

// One element of dx, by its place in memory.
fn computeDirectly(at: u32) {
  let places = params.inHeight * params.inWidth;
  if (at >= params.batch * params.inChannels * places) {
    return;
  }
  let column = at % params.inWidth;
  let row = at / params.inWidth % params.inHeight;
  let channel = at / places % params.inChannels;
  let image = at / (places * params.inChannels);
  let group = channel / groupIn();
  let rows = phaseOfRows((row + params.paddingHeight) % params.strideHeight);
  let columns = phaseOfColumns((column + params.paddingWidth) % params.strideWidth);
  let u = row / params.strideHeight;
  let v = column / params.strideWidth;
  let window = windows(vec4<u32>(image), vec4<u32>(u), vec4<u32>(v), group, rows, columns);
  let kernel = params.kernelHeight * params.kernelWidth;
  var sum = 0.0;
  for (var k = 0u; k < groupOut() * rows.taps * columns.taps; k++) {
    sum += w[weightAt(group, rows, columns, k) + channel % groupIn() * kernel] * loadY(window, rows, columns, k).x;
  }
  dx[at] = sum;
}

@compute @workgroup_size(threadColumns, threadRows)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_id) thread: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let tile = workgroup.y * workgroups.x + workgroup.x;
  if (direct) {
    computeDirectly(tile * threads + lane);
    return;
  }
  let rowTiles = (groupIn() + 4u * rowSlots - 1u) / (4u * rowSlots);
  let mostRows = (params.inHeight + params.strideHeight - 1u) / params.strideHeight;
  let mostColumns = (params.inWidth + params.strideWidth - 1u) / params.strideWidth;
  let columnTiles = (params.batch * mostRows * mostColumns + 4u * columnSlots - 1u) / (4u * columnSlots);
  let group = tile / (rowTiles * columnTiles) % params.groups;
  let phase = tile / (rowTiles * columnTiles * params.groups);
  if (phase >= params.strideHeight * params.strideWidth) {
    return;
  }
  let rows = phaseOfRows(phase / params.strideWidth);
  let columns = phaseOfColumns(phase % params.strideWidth);
  let places = params.batch * rows.count * columns.count;
  let firstRow = tile % rowTiles * 4u * rowSlots;
  let firstColumn = tile / rowTiles % columnTiles * 4u * columnSlots;
  if (firstColumn >= places) {
    return;
  }
  let columnSlot = lane % columnSlots;
  let place = min(firstColumn + columnSlot + STEPS * columnSlots, vec4<u32>(places - 1u));
  let image = place / (rows.count * columns.count);
  let u = place / columns.count % rows.count;
  let window = windows(image, u, place % columns.count, group, rows, columns);
  let terms = groupOut() * rows.taps * columns.taps;

  var topLeft = mat4x4<f32>();
  var topRight = mat4x4<f32>();
  var bottomLeft = mat4x4<f32>();
  var bottomRight = mat4x4<f32>();

  for (var firstK = 0u; firstK < terms; firstK += depth) {
    for (var e = lane; e < depth * rowSlots; e += threads) {
      let k = e % depth;
      tileW[k * (rowSlots + 1u) + e / depth] = loadW(group, firstRow + e / depth, rows, columns, firstK + k);
    }
    for (var k = lane / columnSlots; k < depth; k += threads / columnSlots) {
      tileY[k * (columnSlots + 1u) + columnSlot] = loadY(window, rows, columns, firstK + k);
    }
    workgroupBarrier();
    for (var k = 0u; k < depth; k++) {
      let top = tileW[k * (rowSlots + 1u) + thread.y];
      let bottom = tileW[k * (rowSlots + 1u) + thread.y + threadRows];
      let left = tileY[k * (columnSlots + 1u) + thread.x];
      let right = tileY[k * (columnSlots + 1u) + thread.x + threadColumns];
      topLeft += outer(top, left);
      topRight += outer(top, right);
      bottomLeft += outer(bottom, left);
      bottomRight += outer(bottom, right);
    }
    workgroupBarrier();
  }

  let row = firstRow + thread.y;
  let column = firstColumn + thread.x;
  storeBlocks(group, row, column, rows, columns, topLeft, bottomLeft);
  storeBlocks(group, row, column + threadColumns, rows, columns, topRight, bottomRight);
}
