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
// many as the largest phase has), then groups, then phases. Divisions are slow: a thread fills the same four columns of tileY for every
// k, so it works out (n, u, v) once; and what the next `depth` values of k mean is put into `taps` by one thread each, while the
// others multiply.
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

var<workgroup> taps: array<Tap, depth>;
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
  // The elements first, first + stride, … of dx: `count` of them.
  first: u32,
  count: u32,
  // The taps tap, tap + step, … of the kernel: `taps` of them.
  tap: u32,
  step: u32,
  taps: u32,
  // Element u meets the t-th tap at origin + u − t·back of dy.
  origin: i32,
  back: u32,
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
    first,
    select(0u, (length - first + stride - 1u) / stride, first < length),
    tap,
    step,
    taps,
    (i32(first + padding) - i32(tap * dilation)) / i32(stride),
    step * dilation / stride,
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

// What k = (o, t of p, t of q) reads: its weight, from the first of the group; and dy, from a place's first tap: in memory, and as
// steps back in (i, j) in 16 bits each.
struct Tap {
  weight: u32,
  offset: u32,
  back: u32,
}

fn tapOf(k: u32, rows: Phase, columns: Phase) -> Tap {
  let taps = rows.taps * columns.taps;
  let o = k / taps;
  let t = vec2<u32>(k % taps / columns.taps, k % columns.taps);
  let p = rows.tap + t.x * rows.step;
  let q = columns.tap + t.y * columns.step;
  let back = t * vec2<u32>(rows.back, columns.back);
  return Tap(
    (o * groupIn() * params.kernelHeight + p) * params.kernelWidth + q,
    (o * params.outHeight - back.x) * params.outWidth - back.y,
    (back.x << 16u) | back.y,
  );
}

// The first taps of four places (n, u, v), as (i, j) and in memory (modulo 2³²: it may lie outside of dy) in the group's first channel.
struct Corners {
  i: vec4<i32>,
  j: vec4<i32>,
  start: vec4<u32>,
}

fn cornersOf(place: vec4<u32>, group: u32, rows: Phase, columns: Phase) -> Corners {
  let image = place / (rows.count * columns.count);
  let i = vec4<i32>(place / columns.count % rows.count) + rows.origin;
  let j = vec4<i32>(place % columns.count) + columns.origin;
  let channel = image * params.outChannels + group * groupOut();
  return Corners(i, j, (channel * params.outHeight + vec4<u32>(i)) * params.outWidth + vec4<u32>(j));
}

// dy at a tap of four places, and zero outside of it.
fn loadY(corners: Corners, tap: Tap) -> vec4<f32> {
  // A negative i or j becomes a large unsigned number.
  let i = vec4<u32>(corners.i - i32(tap.back >> 16u));
  let j = vec4<u32>(corners.j - i32(tap.back & 0xffffu));
  let isInside = (i < vec4<u32>(params.outHeight)) & (j < vec4<u32>(params.outWidth));
  let at = select(vec4<u32>(), corners.start + tap.offset, isInside);
  return select(vec4<f32>(), vec4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]), isInside);
}

// The weights of four input channels at a tap.
fn loadW(group: u32, row: u32, tap: Tap) -> vec4<f32> {
  let kernel = params.kernelHeight * params.kernelWidth;
  let channels = min(row + STEPS * rowSlots, vec4<u32>(groupIn() - 1u));
  let at = tap.weight + (group * groupOut() * groupIn() + channels) * kernel;
  return vec4<f32>(w[at.x], w[at.y], w[at.z], w[at.w]);
}

fn outer(left: vec4<f32>, right: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(left.x * right, left.y * right, left.z * right, left.w * right);
}

// Row r of a block. An index that is not constant would move the block from registers to memory.
fn rowOf(block: mat4x4<f32>, r: u32) -> vec4<f32> {
  return select(select(block[0], block[1], r == 1u), select(block[2], block[3], r == 3u), r >= 2u);
}

fn storeBlock(group: u32, firstRow: u32, column: u32, rows: Phase, columns: Phase, block: mat4x4<f32>) {
  let place = column + STEPS * columnSlots;
  let isInside = place < vec4<u32>(params.batch * rows.count * columns.count);
  let image = place / (rows.count * columns.count);
  let h = rows.first + place / columns.count % rows.count * params.strideHeight;
  let w = columns.first + place % columns.count * params.strideWidth;
  let channel = image * params.inChannels + group * groupIn();
  for (var r = 0u; r < 4u && firstRow + r * rowSlots < groupIn(); r++) {
    let at = ((channel + firstRow + r * rowSlots) * params.inHeight + h) * params.inWidth + w;
    let values = rowOf(block, r);
    if (isInside.x) { dx[at.x] = values.x; }
    if (isInside.y) { dx[at.y] = values.y; }
    if (isInside.z) { dx[at.z] = values.z; }
    if (isInside.w) { dx[at.w] = values.w; }
  }
}

// One element of dx, by its place in memory.
fn computeDirectly(at: u32) {
  let places = params.inHeight * params.inWidth;
  if (at >= params.batch * params.inChannels * places) {
    return;
  }
  let h = at / params.inWidth % params.inHeight;
  let v = at % params.inWidth;
  let channel = at / places % params.inChannels;
  let image = at / (places * params.inChannels);
  let rows = phaseOfRows((h + params.paddingHeight) % params.strideHeight);
  let columns = phaseOfColumns((v + params.paddingWidth) % params.strideWidth);
  let firstOut = channel / groupIn() * groupOut();
  var sum = 0.0;
  for (var o = firstOut; o < firstOut + groupOut(); o++) {
    for (var t = 0u; t < rows.taps; t++) {
      let i = u32(i32(h / params.strideHeight) + rows.origin - i32(t * rows.back));
      let p = rows.tap + t * rows.step;
      let weights = ((o * groupIn() + channel % groupIn()) * params.kernelHeight + p) * params.kernelWidth;
      for (var s = 0u; s < columns.taps; s++) {
        let j = u32(i32(v / params.strideWidth) + columns.origin - i32(s * columns.back));
        if (i < params.outHeight && j < params.outWidth) {
          let y = dy[((image * params.outChannels + o) * params.outHeight + i) * params.outWidth + j];
          sum += y * w[weights + columns.tap + s * columns.step];
        }
      }
    }
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
  let corners = cornersOf(place, group, rows, columns);
  let terms = groupOut() * rows.taps * columns.taps;

  var topLeft = mat4x4<f32>();
  var topRight = mat4x4<f32>();
  var bottomLeft = mat4x4<f32>();
  var bottomRight = mat4x4<f32>();

  if (lane < depth) {
    taps[lane] = tapOf(lane, rows, columns);
  }
  workgroupBarrier();
  for (var firstK = 0u; firstK < terms; firstK += depth) {
    for (var e = lane; e < depth * rowSlots; e += threads) {
      let k = e % depth;
      let weights = loadW(group, firstRow + e / depth, taps[k]);
      tileW[k * (rowSlots + 1u) + e / depth] = select(vec4<f32>(), weights, firstK + k < terms);
    }
    for (var k = lane / columnSlots; k < depth; k += threads / columnSlots) {
      tileY[k * (columnSlots + 1u) + columnSlot] = select(vec4<f32>(), loadY(corners, taps[k]), firstK + k < terms);
    }
    workgroupBarrier();
    if (lane < depth) {
      taps[lane] = tapOf(firstK + depth + lane, rows, columns);
    }
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
  storeBlock(group, row, column, rows, columns, topLeft);
  storeBlock(group, row, column + threadColumns, rows, columns, topRight);
  storeBlock(group, row + threadRows, column, rows, columns, bottomLeft);
  storeBlock(group, row + threadRows, column + threadColumns, rows, columns, bottomRight);
}
