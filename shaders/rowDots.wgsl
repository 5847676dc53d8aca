// rowDots: dots[r] = Σ g·(w − w⁰) over row r
//
// weights w, anchors w⁰, gradients g: (count)   rows (i32): (rowCount, 2), per row (first element, length)   dots: (rowCount)
//
// Work: one workgroup of 64 threads per row; each thread takes every 64th element, and a fixed tree of two levels
// (64 → 8 → 1) joins the sums.

struct Params {
  count: u32,
  rowCount: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> anchors: array<f32>;
@group(0) @binding(3) var<storage, read> gradients: array<f32>;
@group(0) @binding(4) var<storage, read> rows: array<i32>;
@group(0) @binding(5) var<storage, read_write> dots: array<f32>;

var<workgroup> partial: array<f32, 64>;
var<workgroup> eighths: array<f32, 8>;

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
  var sum = 0.0;
  for (var i = lane; i < length; i += 64u) {
    sum += gradients[start + i] * (weights[start + i] - anchors[start + i]);
  }
  partial[lane] = sum;
  workgroupBarrier();
  if (lane < 8u) {
    for (var other = lane + 8u; other < 64u; other += 8u) {
      sum += partial[other];
    }
    eighths[lane] = sum;
  }
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < 8u; other += 1u) {
      sum += eighths[other];
    }
    dots[row] = sum;
  }
}
