// conv2d: y[n, o, i, j] = Σ_{c,p,q} x[n, c, h, w]·w[o, c, p, q],  h = i·strideHeight + p·dilationHeight − paddingHeight, w likewise
//
// x: (batch, inChannels, inHeight, inWidth)      zero outside
// w: (outChannels, inChannels/groups, kernelHeight, kernelWidth)
// y: (batch, outChannels, outHeight, outWidth)      output channel o belongs to group ⌊o / (outChannels/groups)⌋
//
// An implicit matrix product in each group: y = W·X, where the rows are the group's output channels, the columns the places
// (n, i, j), and k runs over (c, p, q). W is w as it lies in memory; X is never built, its elements are read from x where they are.
//
// Work: as in matmul.wgsl, with the same tiles and the same 8 × 8 block to a thread. Tiles are numbered rows first, then columns,
// then groups. Divisions are slow: a thread fills the same four columns of tileX for every k, so it works out (n, i, j) once; and
// what the next `depth` values of k mean is put into `taps` by one thread each, while the others multiply.
// With `direct` (groups of few channels, where a tile would be mostly empty) each thread computes one element of y.

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
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> taps: array<Tap, depth>;
var<workgroup> tileW: array<vec4<f32>, depth * (2u * threadRows + 1u)>;
var<workgroup> tileX: array<vec4<f32>, depth * (2u * threadColumns + 1u)>;

const STEPS = vec4<u32>(0u, 1u, 2u, 3u);

fn groupIn() -> u32 {
  return params.inChannels / params.groups;
}

fn groupOut() -> u32 {
  return params.outChannels / params.groups;
}

// Terms of a sum.
fn terms() -> u32 {
  return groupIn() * params.kernelHeight * params.kernelWidth;
}

// Where k = (c, p, q) reads x from a window's upper left corner: in memory, and as (h, w) in 16 bits each.
struct Tap {
  offset: u32,
  shift: u32,
}

fn tapOf(k: u32) -> Tap {
  let c = k / (params.kernelHeight * params.kernelWidth);
  let h = k / params.kernelWidth % params.kernelHeight * params.dilationHeight;
  let w = k % params.kernelWidth * params.dilationWidth;
  return Tap((c * params.inHeight + h) * params.inWidth + w, (h << 16u) | w);
}

// The upper left corners of four windows, as (h, w) and in memory (modulo 2³²: it may lie before x) in the group's first channel.
struct Corners {
  h: vec4<i32>,
  w: vec4<i32>,
  start: vec4<u32>,
}

fn cornersOf(column: vec4<u32>, group: u32) -> Corners {
  let places = params.outHeight * params.outWidth;
  let image = column / places;
  let i = column % places / params.outWidth;
  let j = column % params.outWidth;
  let h = vec4<i32>(i * params.strideHeight) - i32(params.paddingHeight);
  let w = vec4<i32>(j * params.strideWidth) - i32(params.paddingWidth);
  let channel = image * params.inChannels + group * groupIn();
  return Corners(h, w, (channel * params.inHeight + vec4<u32>(h)) * params.inWidth + vec4<u32>(w));
}

// x at a tap of four windows, and zero in the padding.
fn loadX(corners: Corners, tap: Tap) -> vec4<f32> {
  // A negative h or w becomes a large unsigned number.
  let h = vec4<u32>(corners.h + i32(tap.shift >> 16u));
  let w = vec4<u32>(corners.w + i32(tap.shift & 0xffffu));
  let isInside = (h < vec4<u32>(params.inHeight)) & (w < vec4<u32>(params.inWidth));
  let at = select(vec4<u32>(), corners.start + tap.offset, isInside);
  return select(vec4<f32>(), vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]), isInside);
}

// The weights of four output channels at k; zero beyond the last k.
fn loadW(group: u32, row: u32, k: u32) -> vec4<f32> {
  if (k >= terms()) {
    return vec4<f32>();
  }
  let rows = min(row + STEPS * rowSlots, vec4<u32>(groupOut() - 1u));
  let at = (group * groupOut() + rows) * terms() + k;
  return vec4<f32>(w[at.x], w[at.y], w[at.z], w[at.w]);
}

fn outer(left: vec4<f32>, right: vec4<f32>) -> mat4x4<f32> {
  return mat4x4<f32>(left.x * right, left.y * right, left.z * right, left.w * right);
}

// Row r of a block. An index that is not constant would move the block from registers to memory.
fn rowOf(block: mat4x4<f32>, r: u32) -> vec4<f32> {
  return select(select(block[0], block[1], r == 1u), select(block[2], block[3], r == 3u), r >= 2u);
}

fn storeBlock(group: u32, firstRow: u32, column: u32, block: mat4x4<f32>) {
  let places = params.outHeight * params.outWidth;
  let columns = column + STEPS * columnSlots;
  let isInside = columns < vec4<u32>(params.batch * places);
  let starts = (columns / places * params.outChannels + group * groupOut()) * places + columns % places;
  for (var r = 0u; r < 4u && firstRow + r * rowSlots < groupOut(); r++) {
    let at = starts + (firstRow + r * rowSlots) * places;
    let values = rowOf(block, r);
    if (isInside.x) { y[at.x] = values.x; }
    if (isInside.y) { y[at.y] = values.y; }
    if (isInside.z) { y[at.z] = values.z; }
    if (isInside.w) { y[at.w] = values.w; }
  }
}

// One element of y, by its place in memory.
fn computeDirectly(at: u32) {
  let places = params.outHeight * params.outWidth;
  if (at >= params.batch * params.outChannels * places) {
    return;
  }
  let image = at / (places * params.outChannels);
  let channel = at / places % params.outChannels;
  let top = i32(at % places / params.outWidth * params.strideHeight) - i32(params.paddingHeight);
  let left = i32(at % params.outWidth * params.strideWidth) - i32(params.paddingWidth);
  let firstIn = image * params.inChannels + channel / groupOut() * groupIn();
  var weight = channel * terms();
  var sum = 0.0;
  for (var c = 0u; c < groupIn(); c++) {
    for (var p = 0u; p < params.kernelHeight; p++) {
      let row = u32(top + i32(p * params.dilationHeight));
      for (var q = 0u; q < params.kernelWidth; q++) {
        let column = u32(left + i32(q * params.dilationWidth));
        if (row < params.inHeight && column < params.inWidth) {
          sum += w[weight] * x[((firstIn + c) * params.inHeight + row) * params.inWidth + column];
        }
        weight++;
      }
    }
  }
  y[at] = sum;
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
  let columns = params.batch * params.outHeight * params.outWidth;
  let rowTiles = (groupOut() + 4u * rowSlots - 1u) / (4u * rowSlots);
  let columnTiles = (columns + 4u * columnSlots - 1u) / (4u * columnSlots);
  let group = tile / (rowTiles * columnTiles);
  if (group >= params.groups) {
    return;
  }
  let firstRow = tile % rowTiles * 4u * rowSlots;
  let firstColumn = tile / rowTiles % columnTiles * 4u * columnSlots;
  let columnSlot = lane % columnSlots;
  let corners = cornersOf(min(firstColumn + columnSlot + STEPS * columnSlots, vec4<u32>(columns - 1u)), group);

  var topLeft = mat4x4<f32>();
  var topRight = mat4x4<f32>();
  var bottomLeft = mat4x4<f32>();
  var bottomRight = mat4x4<f32>();

  if (lane < depth) {
    taps[lane] = tapOf(lane);
  }
  workgroupBarrier();
  for (var firstK = 0u; firstK < terms(); firstK += depth) {
    for (var e = lane; e < depth * rowSlots; e += threads) {
      let k = e % depth;
      tileW[k * (rowSlots + 1u) + e / depth] = loadW(group, firstRow + e / depth, firstK + k);
    }
    for (var k = lane / columnSlots; k < depth; k += threads / columnSlots) {
      tileX[k * (columnSlots + 1u) + columnSlot] = select(vec4<f32>(), loadX(corners, taps[k]), firstK + k < terms());
    }
    workgroupBarrier();
    if (lane < depth) {
      taps[lane] = tapOf(firstK + depth + lane);
    }
    for (var k = 0u; k < depth; k++) {
      let top = tileW[k * (rowSlots + 1u) + thread.y];
      let bottom = tileW[k * (rowSlots + 1u) + thread.y + threadRows];
      let left = tileX[k * (columnSlots + 1u) + thread.x];
      let right = tileX[k * (columnSlots + 1u) + thread.x + threadColumns];
      topLeft += outer(top, left);
      topRight += outer(top, right);
      bottomLeft += outer(bottom, left);
      bottomRight += outer(bottom, right);
    }
    workgroupBarrier();
  }

  let row = firstRow + thread.y;
  let column = firstColumn + thread.x;
  storeBlock(group, row, column, topLeft);
  storeBlock(group, row, column + threadColumns, topRight);
  storeBlock(group, row + threadRows, column, bottomLeft);
  storeBlock(group, row + threadRows, column + threadColumns, bottomRight);
}
