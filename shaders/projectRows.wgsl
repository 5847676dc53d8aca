// projectRows: w ← w⁰ + (w − w⁰)·radius[r]/norm[r] over every row r with norm[r] > radius[r], in place; other rows keep their bits
//
// weights w, anchors w⁰: (count)   rows (i32): (rowCount, 2), per row (first element, length)   norms, radii: (rowCount)
// The radial projections (Gouk, Hospedales & Pontil, ICLR 2021): norms are the rows' own (rowDistances) or their layer's (layerNorms).
//
// Work: one workgroup of 64 threads per row; each thread takes every 64th element.

struct Params {
  count: u32,
  rowCount: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<storage, read> anchors: array<f32>;
@group(0) @binding(3) var<storage, read> rows: array<i32>;
@group(0) @binding(4) var<storage, read> norms: array<f32>;
@group(0) @binding(5) var<storage, read> radii: array<f32>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  if (row >= params.rowCount || norms[row] <= radii[row]) {
    return;
  }
  let scale = radii[row] / norms[row];
  let start = u32(rows[2u * row]);
  let end = start + u32(rows[2u * row + 1u]);
  for (var i = start + lane; i < end; i += 64u) {
    weights[i] = anchors[i] + (weights[i] - anchors[i]) * scale;
  }
}
