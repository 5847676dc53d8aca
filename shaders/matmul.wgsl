// matmul: out[t, i, j] = Σₖ A[t, i, k]·B[t, k, j]
//
// a: (batch, m, k), or (batch, k, m) with `transposeA`        a matrix of the batch begins aBatchStride after the last one;
// b: (batch, k, n), or (batch, n, k) with `transposeB`        stride 0 uses one matrix for all
// out: (batch, m, n)
//
// Work: a workgroup of threadRows × threadColumns threads computes a tile of 8·threadRows rows by 8·threadColumns columns of
// out; tiles are numbered rows first, then columns, then batch, and folded into x and y of the grid. `depth` values of k at a
// time go through workgroup memory. Each thread keeps an 8 × 8 block in four 4 × 4 matrices and adds one outer product of 8
// values of A and 8 of B per k, in the order of k: no sum depends on the tile's size or on timing.
//
// Rows and columns are interleaved: a vec4 of tileA, slot s, holds rows s, s + R, s + 2R, s + 3R of the tile (R = rowSlots), so that
// neighbouring threads read and write neighbouring columns of out. The pitch of a tile is odd, so that threads which store
// neighbouring k do not meet in one memory bank. Beyond the edges the last row or column is read again and not written.

override transposeA: bool = false;
override transposeB: bool = false;
override threadRows: u32 = 8u;
override threadColumns: u32 = 8u;
override depth: u32 = 8u;

override rowSlots: u32 = 2u * threadRows;
override columnSlots: u32 = 2u * threadColumns;
override threads: u32 = threadRows * threadColumns;

struct Params {
  batch: u32,
  m: u32,
  n: u32,
  k: u32,
  aBatchStride: u32,
  bBatchStride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

var<workgroup> tileA: array<vec4<f32>, depth * (2u * threadRows + 1u)>;
var<workgroup> tileB: array<vec4<f32>, depth * (2u * threadColumns + 1u)>;

const STEPS = vec4<u32>(0u, 1u, 2u, 3u);

// Four rows of A at k; zero beyond the last k.
fn loadA(start: u32, row: u32, k: u32) -> vec4<f32> {
  if (k >= params.k) {
    return vec4<f32>();
  }
  let rows = min(row + STEPS * rowSlots, vec4<u32>(params.m - 1u));
  let at = start + select(rows * params.k + k, k * params.m + rows, transposeA);
  return vec4<f32>(a[at.x], a[at.y], a[at.z], a[at.w]);
}

// Four columns of B at k; zero beyond the last k.
fn loadB(start: u32, column: u32, k: u32) -> vec4<f32> {
  if (k >= params.k) {
    return vec4<f32>();
  }
  let columns = min(column + STEPS * columnSlots, vec4<u32>(params.n - 1u));
  let at = start + select(k * params.n + columns, columns * params.k + k, transposeB);
  return vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]);
}

// Slot and k of a tile's element e, so that neighbouring threads read neighbouring memory.
fn place(e: u32, slots: u32, isAlongK: bool) -> vec2<u32> {
  return select(vec2<u32>(e % slots, e / slots), vec2<u32>(e / depth, e % depth), isAlongK);
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
  for (var r = 0u; r < 4u && firstRow + r * rowSlots < params.m; r++) {
    let at = start + (firstRow + r * rowSlots) * params.n + columns;
    let values = rowOf(block, r);
    if (columns.x < params.n) { out[at.x] = values.x; }
    if (columns.y < params.n) { out[at.y] = values.y; }
    if (columns.z < params.n) { out[at.z] = values.z; }
    if (columns.w < params.n) { out[at.w] = values.w; }
  }
}

@compute @workgroup_size(threadColumns, threadRows)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_id) thread: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let rowTiles = (params.m + 4u * rowSlots - 1u) / (4u * rowSlots);
  let columnTiles = (params.n + 4u * columnSlots - 1u) / (4u * columnSlots);
  let tile = workgroup.y * workgroups.x + workgroup.x;
  let batch = tile / (rowTiles * columnTiles);
  if (batch >= params.batch) {
    return;
  }
  let firstRow = tile % rowTiles * 4u * rowSlots;
  let firstColumn = tile / rowTiles % columnTiles * 4u * columnSlots;

  var topLeft = mat4x4<f32>();
  var topRight = mat4x4<f32>();
  var bottomLeft = mat4x4<f32>();
  var bottomRight = mat4x4<f32>();

  for (var firstK = 0u; firstK < params.k; firstK += depth) {
    for (var e = lane; e < depth * rowSlots; e += threads) {
      let at = place(e, rowSlots, !transposeA);
      tileA[at.y * (rowSlots + 1u) + at.x] = loadA(batch * params.aBatchStride, firstRow + at.x, firstK + at.y);
    }
    for (var e = lane; e < depth * columnSlots; e += threads) {
      let at = place(e, columnSlots, transposeB);
      tileB[at.y * (columnSlots + 1u) + at.x] = loadB(batch * params.bBatchStride, firstColumn + at.x, firstK + at.y);
    }
    workgroupBarrier();
    for (var k = 0u; k < depth; k++) {
      let top = tileA[k * (rowSlots + 1u) + thread.y];
      let bottom = tileA[k * (rowSlots + 1u) + thread.y + threadRows];
      let left = tileB[k * (columnSlots + 1u) + thread.x];
      let right = tileB[k * (columnSlots + 1u) + thread.x + threadColumns];
      topLeft += outer(top, left);
      topRight += outer(top, right);
      bottomLeft += outer(bottom, left);
      bottomRight += outer(bottom, right);
    }
    workgroupBarrier();
  }

  let start = batch * params.m * params.n;
  let row = firstRow + thread.y;
  let column = firstColumn + thread.x;
  storeBlock(start, row, column, topLeft);
  storeBlock(start, row, column + threadColumns, topRight);
  storeBlock(start, row + threadRows, column, bottomLeft);
  storeBlock(start, row + threadRows, column + threadColumns, bottomRight);
}
