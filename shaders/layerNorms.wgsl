// layerNorms: norms[r] = max values (MARS), or √Σ values (Frobenius), over all rows of r's layer
//
// values: (rowCount), the rows' L1 norms or sums of squares   layers (i32): (layerCount, 2), per layer (first row, rows)
// norms: (rowCount), the same for all rows of a layer
//
// Work: one workgroup of 64 threads per layer; each thread takes every 64th row, a fixed tree of two levels (64 → 8 → 1)
// joins them, and all write the result.

// mars, frobenius
override norm: u32 = 0u;

const MARS = 0u;

struct Params {
  rowCount: u32,
  layerCount: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<f32>;
@group(0) @binding(2) var<storage, read> layers: array<i32>;
@group(0) @binding(3) var<storage, read_write> norms: array<f32>;

var<workgroup> partial: array<f32, 64>;
var<workgroup> eighths: array<f32, 8>;

fn joined(a: f32, b: f32) -> f32 {
  return select(a + b, max(a, b), norm == MARS);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let layer = workgroup.y * workgroups.x + workgroup.x;
  if (layer >= params.layerCount) {
    return;
  }
  let first = u32(layers[2u * layer]);
  let end = first + u32(layers[2u * layer + 1u]);
  var total = 0.0;
  for (var row = first + lane; row < end; row += 64u) {
    total = joined(total, values[row]);
  }
  partial[lane] = total;
  workgroupBarrier();
  if (lane < 8u) {
    for (var other = lane + 8u; other < 64u; other += 8u) {
      total = joined(total, partial[other]);
    }
    eighths[lane] = total;
  }
  workgroupBarrier();
  total = eighths[0];
  for (var other = 1u; other < 8u; other += 1u) {
    total = joined(total, eighths[other]);
  }
  let result = select(sqrt(total), total, norm == MARS);
  for (var row = first + lane; row < end; row += 64u) {
    norms[row] = result;
  }
}
