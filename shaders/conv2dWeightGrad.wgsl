// conv2dWeightGrad: dw[s, o, c, p, q] = Σ dy[n, o, i, j]·x[n, c, h, w] over j and the s-th part of the (n, i),
//   h = i·strideHeight + p·dilationHeight − paddingHeight, w likewise
//
// x: (batch, inChannels, inHeight, inWidth)      zero outside
// dy: (batch, outChannels, outHeight, outWidth)
// dw: (splits, outChannels, inChannels/groups, kernelHeight, kernelWidth)      split s has ⌈batch·outHeight / splits⌉ of the rows (n, i)
//
// The sum is long and the result small: without splits there would be too few tiles to keep a GPU busy. An implicit matrix
// product in each group and split: dw = Y·Xᵀ, where the rows are the group's output channels, the columns are (c, p, q), and k runs
// over the places (n, i, j) of the split.
//
// Work: as in matmul.wgsl, with the same tiles and the same 8 × 8 block to a thread. Tiles are numbered rows first, then columns,
// then groups, then splits. Where the columns read x relative to a window's corner is worked out once, in `taps`. Neighbouring
// threads fill neighbouring k, which are neighbours in dy and x; a thread fills the same k of every column, and works out (n, i, j)
// once for all. With `direct` (groups of few channels, where a tile would be mostly empty) each thread computes one element of dw.

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
  splits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dw: array<f32>;

// Where a column (c, p, q) reads x from a window's upper left corner: in memory, and as (h, w) in 16 bits each.
struct Tap {
  offset: u32,
  shift: u32,
}

var<workgroup> taps: array<Tap, 8u * threadColumns>;
var<workgroup> tileY: array<vec4<f32>, depth * (2u * threadRows + 1u)>;
var<workgroup> tileX: array<vec4<f32>, depth * (2u * threadColumns + 1u)>;

const STEPS = vec4<u32>(0u, 1u, 2u, 3u);

fn groupIn() -> u32 {
  return params.inChannels / params.groups;
}

fn groupOut() -> u32 {
  return params.outChannels / params.groups;
}

// Columns of a group's product.
fn groupTaps() -> u32 {
  return groupIn() * params.kernelHeight * params.kernelWidth;
}

fn tapOf(column: u32) -> Tap {
  let c = column / (params.kernelHeight * params.kernelWidth);
  let h = column / params.kernelWidth % params.kernelHeight * params.dilationHeight;
  let w = column % params.kernelWidth * params.dilationWidth;
  return Tap((c * params.inHeight + h) * params.inWidth + w, (h << 16u) | w);
}

// A place (n, i, j), as what it reads in a group: dy in the first channel; and x from the window's upper left corner, as (h, w) and
// in memory (modulo 2³²: it may lie before x) in the first channel.
struct Place {
  isInside: bool,
  y: u32,
  h: i32,
  w: i32,
  corner: u32,
}

fn placeOf(k: u32, end: u32, group: u32) -> Place {
  let places = params.outHeight * params.outWidth;
  let image = k / places;
  let h = i32(k % places / params.outWidth * params.strideHeight) - i32(params.paddingHeight);
  let w = i32(k % params.outWidth * params.strideWidth) - i32(params.paddingWidth);
  let channel = image * params.inChannels + group * groupIn();
  return Place(
    k < end,
    (image * params.outChannels + group * groupOut()) * places + k % places,
    h,
    w,
    (channel * params.inHeight + u32(h)) * params.inWidth + u32(w),
  );
}

// x where a column reads it at a place, and zero in the padding.
fn loadTap(place: Place, tap: Tap) -> f32 {
  // A negative h or w becomes a large unsigned number.
  let h = u32(place.h + i32(tap.shift >> 16u));
  let w = u32(place.w + i32(tap.shift & 0xffffu));
  let isInside = h < params.inHeight && w < params.inWidth;
  return select(0.0, x[select(0u, place.corner + tap.offset, isInside)], isInside);
}

// Four columns, by their slot in the tile; zero beyond the last place.
fn loadX(place: Place, slot: u32) -> vec4<f32> {
  if (!place.isInside) {
    return vec4<f32>();
  }
  return vec4<f32>(
    loadTap(place, taps[slot]),
    loadTap(place, taps[slot + columnSlots]),
    loadTap(place, taps[slot + 2u * columnSlots]),
    loadTap(place, taps[slot + 3u * columnSlots]),
  );
}

// Four output channels of dy; zero beyond the last place.
fn loadY(place: Place, row: u32) -> vec4<f32> {
  if (!place.isInside) {
    return vec4<f32>();
  }
  let rows = min(row + STEPS * rowSlots, vec4<u32>(groupOut() - 1u));
  let at = place.y + rows * params.outHeight * params.outWidth;
  return vec4<f32>(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
}

// The places of a split: from the first up to the second.
fn placesOf(split: u32) -> vec2<u32> {
  let rows = params.batch * params.outHeight;
  let rowsPerSplit = (rows + params.splits - 1u) / params.splits;
  return min(vec2<u32>(split, split + 1u) * rowsPerSplit, vec2<u32>(rows)) * params.outWidth;
}

fn outer(left: vec4<f32>, right: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(left.x * right, left.y * right, left.z * right, left.w * right);
}

// Row r of a block. An index that is not constant would move the block from registers to memory.
fn rowOf(block: mat4x4<f32>, r: u32) -> vec4<f32> {
  return select(select(block[0], block[1], r == 1u), select(block[2], block[3], r == 3u), r >= 2u);
}

fn storeBlock(start: u32, firstRow: u32, column: u32, block: mat4x4<f32>) {
  let columns = column + STEPS * columnSlots;
  for (var r = 0u; r < 4u && firstRow + r * rowSlots < groupOut(); r++) {
    let at = start + (firstRow + r * rowSlots) * groupTaps() + columns;
    let values = rowOf(block, r);
    if (columns.x < groupTaps()) { dw[at.x] = values.x; }
    if (columns.y < groupTaps()) { dw[at.y] = values.y; }
    if (columns.z < groupTaps()) { dw[at.z] = values.z; }
    if (columns.w < groupTaps()) { dw[at.w] = values.w; }
  }
}

// One element of dw, by its place in memory.
fn computeDirectly(at: u32) {
  let channel = at / groupTaps() % params.outChannels;
  let split = at / (groupTaps() * params.outChannels);
  if (split >= params.splits) {
    return;
  }
  let tap = tapOf(at % groupTaps());
  let range = placesOf(split);
  let y = channel % groupOut() * params.outHeight * params.outWidth;
  var sum = 0.0;
  for (var first = range.x; first < range.y; first += params.outWidth) {
    var place = placeOf(first, range.y, channel / groupOut());
    for (var j = 0u; j < params.outWidth; j++) {
      sum += dy[place.y + y + j] * loadTap(place, tap);
      place.w += i32(params.strideWidth);
      place.corner += params.strideWidth;
    }
  }
  dw[at] = sum;
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
  let rowTiles = (groupOut() + 4u * rowSlots - 1u) / (4u * rowSlots);
  let columnTiles = (groupTaps() + 4u * columnSlots - 1u) / (4u * columnSlots);
  let group = tile / (rowTiles * columnTiles) % params.groups;
  let split = tile / (rowTiles * columnTiles * params.groups);
  if (split >= params.splits) {
    return;
  }
  let firstRow = tile % rowTiles * 4u * rowSlots;
  let firstColumn = tile / rowTiles % columnTiles * 4u * columnSlots;
  for (var e = lane; e < 4u * columnSlots; e += threads) {
    taps[e] = tapOf(min(firstColumn + e, groupTaps() - 1u));
  }
  workgroupBarrier();

  var topLeft = mat4x4<f32>();
  var topRight = mat4x4<f32>();
  var bottomLeft = mat4x4<f32>();
  var bottomRight = mat4x4<f32>();

  let range = placesOf(split);
  let ownK = lane % depth;
  for (var firstK = range.x; firstK < range.y; firstK += depth) {
    let place = placeOf(firstK + ownK, range.y, group);
    for (var slot = lane / depth; slot < rowSlots; slot += threads / depth) {
      tileY[ownK * (rowSlots + 1u) + slot] = loadY(place, firstRow + slot);
    }
    for (var slot = lane / depth; slot < columnSlots; slot += threads / depth) {
      tileX[ownK * (columnSlots + 1u) + slot] = loadX(place, slot);
    }
    workgroupBarrier();
    for (var k = 0u; k < depth; k++) {
      let top = tileY[k * (rowSlots + 1u) + thread.y];
      let bottom = tileY[k * (rowSlots + 1u) + thread.y + threadRows];
      let left = tileX[k * (columnSlots + 1u) + thread.x];
      let right = tileX[k * (columnSlots + 1u) + thread.x + threadColumns];
      topLeft += outer(top, left);
      topRight += outer(top, right);
      bottomLeft += outer(bottom, left);
      bottomRight += outer(bottom, right);
    }
    workgroupBarrier();
  }

  let start = (split * params.outChannels + group * groupOut()) * groupTaps();
  let row = firstRow + thread.y;
  let column = firstColumn + thread.x;
  storeBlock(start, row, column, topLeft);
  storeBlock(start, row, column + threadColumns, topRight);
  storeBlock(start, row + threadRows, column, bottomLeft);
  storeBlock(start, row + threadRows, column + threadColumns, bottomRight);
}
