// rowPenaltyGrad: g ← g + factor[r]·(w − w⁰), or g + factor[r]·sign(w − w⁰), over every row r, in place
//
// weights w, anchors w⁰, gradients g: (count)   rows (i32): (rowCount, 2), per row (first element, length)   factors: (rowCount)
//
// Work: one workgroup of 64 threads per row; each thread takes every 64th element.

// difference, sign
override form: u32 = 0u;

const DIFFERENCE = 0u;

struct Params {
  count: u32,
  rowCount: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> anchors: array<f32>;
@group(0) @binding(3) var<storage, read> rows: array<i32>;
@group(0) @binding(4) var<storage, read> factors: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradients: array<f32>;

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
  let end = start + u32(rows[2u * row + 1u]);
  for (var i = start + lane; i < end; i += 64u) {
    let moved = weights[i] - anchors[i];
    gradients[i] += factors[row] * select(sign(moved), moved, form == DIFFERENCE);
  }
}
