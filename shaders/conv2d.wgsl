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
// then groups. A thread fills the same four columns of tileX for every k, so it works out (n, i, j) only once.
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

// Four places (n, i, j), as what they read: the first channel of the image in the group, and the window's upper left corner.
struct Windows {
  start: vec4<u32>,
  top: vec4<i32>,
  left: vec4<i32>,
}

fn windows(column: vec4<u32>, group: u32) -> Windows {
  let places = params.outHeight * params.outWidth;
  let image = column / places;
  let i = column % places / params.outWidth;
  let j = column % params.outWidth;
  return Windows(
    (image * params.inChannels + group * groupIn()) * params.inHeight * params.inWidth,
    vec4<i32>(i * params.strideHeight) - i32(params.paddingHeight),
    vec4<i32>(j * params.strideWidth) - i32(params.paddingWidth),
  );
}

// Element k = (c, p, q) of four windows; zero in the padding, and beyond the last k.
fn loadX(window: Windows, k: u32) -> vec4<f32> {
  if (k >= terms()) {
    return vec4<f32>();
  }
  let c = k / (params.kernelHeight * params.kernelWidth);
  let p = k / params.kernelWidth % params.kernelHeight;
  let q = k % params.kernelWidth;
  // A negative h or w becomes a large unsigned number.
  let rows = vec4<u32>(window.top + i32(p * params.dilationHeight));
  let columns = vec4<u32>(window.left + i32(q * params.dilationWidth));
  let inside = (rows < vec4<u32>(params.inHeight)) & (columns < vec4<u32>(params.inWidth));
  let at = select(vec4<u32>(), window.start + (c * params.inHeight + rows) * params.inWidth + columns, inside);
  return select(vec4<f32>(), vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]), inside);
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

// `starts`: where the four columns begin in y, for the first channel of the group.
fn storeRow(starts: vec4<u32>, inside: vec4<bool>, row: u32, values: vec4<f32>) {
  if (row >= groupOut()) {
    return;
  }
  let at = starts + row * params.outHeight * params.outWidth;
  if (inside.x) { y[at.x] = values.x; }
  if (inside.y) { y[at.y] = values.y; }
  if (inside.z) { y[at.z] = values.z; }
  if (inside.w) { y[at.w] = values.w; }
}

fn storeBlocks(group: u32, row: u32, column: u32, top: mat4x4<f32>, bottom: mat4x4<f32>) {
  let places = params.outHeight * params.outWidth;
  let columns = column + STEPS * columnSlots;
  let inside = columns < vec4<u32>(params.batch * places);
  let starts = (columns / places * params.outChannels + group * groupOut()) * places + columns % places;
  storeRow(starts, inside, row, top[0]);
  storeRow(starts, inside, row + rowSlots, top[1]);
  storeRow(starts, inside, row + 2u * rowSlots, top[2]);
  storeRow(starts, inside, row + 3u * rowSlots, top[3]);
  storeRow(starts, inside, row + threadRows, bottom[0]);
  storeRow(starts, inside, row + threadRows + rowSlots, bottom[1]);
  storeRow(starts, inside, row + threadRows + 2u * rowSlots, bottom[2]);
  storeRow(starts, inside, row + threadRows + 3u * rowSlots, bottom[3]);
}

// One element of y, by its place in memory.
fn computeDirectly(at: u32) {
  let places = params.outHeight * params.outWidth;
  if (at >= params.batch * params.outChannels * places) {
    return;
  }
  let channel = at / places % params.outChannels;
  let image = at / (places * params.outChannels);
  let group = channel / groupOut();
  let window = windows(vec4<u32>(image * places + at % places), group);
  var sum = 0.0;
  for (var k = 0u; k < terms(); k++) {
    sum += w[channel * terms() + k] * loadX(window, k).x;
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
  let window = windows(min(firstColumn + columnSlot + STEPS * columnSlots, vec4<u32>(columns - 1u)), group);

  var topLeft = mat4x4<f32>();
  var topRight = mat4x4<f32>();
  var bottomLeft = mat4x4<f32>();
  var bottomRight = mat4x4<f32>();

  for (var firstK = 0u; firstK < terms(); firstK += depth) {
    for (var e = lane; e < depth * rowSlots; e += threads) {
      let k = e % depth;
      tileW[k * (rowSlots + 1u) + e / depth] = loadW(group, firstRow + e / depth, firstK + k);
    }
    for (var k = lane / columnSlots; k < depth; k += threads / columnSlots) {
      tileX[k * (columnSlots + 1u) + columnSlot] = loadX(window, firstK + k);
    }
    workgroupBarrier();
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
  storeBlocks(group, row, column, topLeft, bottomLeft);
  storeBlocks(group, row, column + threadColumns, topRight, bottomRight);
}
