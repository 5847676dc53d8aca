// rowDistances: l1[r] = Σ |w − w⁰|, squared[r] = Σ (w − w⁰)², over row r
//
// weights w, anchors w⁰: (count)   rows (i32): (rowCount, 2), per row (first element, length)   l1, squared: (rowCount)
//
// Work: one workgroup of 64 threads per row; each thread takes every 64th element, and a fixed tree of two
// levels (64 → 8 → 1) joins both sums at once.

struct Params {
  count: u32,
  rowCount: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> anchors: array<f32>;
@group(0) @binding(3) var<storage, read> rows: array<i32>;
@group(0) @binding(4) var<storage, read_write> l1: array<f32>;
@group(0) @binding(5) var<storage, read_write> squared: array<f32>;

// (Σ |w − w⁰|, Σ (w − w⁰)²)
var<workgroup> partial: array<vec2<f32>, 64>;
var<workgroup> eighths: array<vec2<f32>, 8>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  if (row >= params.rowCount) {
    return;
  }
  let start = u32(rows[2u * row]);
  let length = u32(rows[2u * row + 1u]);
  var sums = vec2<f32>(0.0);
  for (var i = lane; i < length; i += 64u) {
    let moved = weights[start + i] - anchors[start + i];
    sums += vec2<f32>(abs(moved), moved * moved);
  }
  partial[lane] = sums;
  workgroupBarrier();
  if (lane < 8u) {
    for (var other = lane + 8u; other < 64u; other += 8u) {
      sums += partial[other];
    }
    eighths[lane] = sums;
  }
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < 8u; other += 1u) {
      sums += eighths[other];
    }
    l1[row] = sums.x;
    squared[row] = sums.y;
  }
}
