// selectiveDecay: kept[r] = Σ dots > 0 ? 1 − strength·clip(1 − ‖before‖/‖after‖, 0, 1) : 1, sums over the tensor of row r
//
// dots, before, after, kept: (rowCount)   tensors (i32): (tensorCount, 2), per tensor (first row, rows)
// before and after are the sums of squares of the rows' displacements.
//
// Work: one workgroup of 64 threads per tensor; each thread takes every 64th row, and a fixed tree of two levels (64 → 8 → 1)
// joins the three sums.

struct Params {
  rowCount: u32,
  tensorCount: u32,
  strength: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dots: array<f32>;
@group(0) @binding(2) var<storage, read> before: array<f32>;
@group(0) @binding(3) var<storage, read> after: array<f32>;
@group(0) @binding(4) var<storage, read> tensors: array<i32>;
@group(0) @binding(5) var<storage, read_write> kept: array<f32>;

// (Σ dots, Σ before, Σ after)
var<workgroup> partial: array<vec3<f32>, 64>;
var<workgroup> eighths: array<vec3<f32>, 8>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let l = workgroup.y * workgroups.x + workgroup.x;
  if (l >= params.tensorCount) {
    return;
  }
  let first = u32(tensors[2u * l]);
  let end = first + u32(tensors[2u * l + 1u]);
  var sums = vec3<f32>(0.0);
  for (var r = first + lane; r < end; r += 64u) {
    sums += vec3<f32>(dots[r], before[r], after[r]);
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
  sums = eighths[0];
  for (var other = 1u; other < 8u; other += 1u) {
    sums += eighths[other];
  }
  let old = sqrt(sums.y);
  let now = sqrt(sums.z);
  var share = 1.0;
  if (sums.x > 0.0 && now > 0.0) {
    share = 1.0 - params.strength * clamp((now - old) / now, 0.0, 1.0);
  }
  for (var r = first + lane; r < end; r += 64u) {
    kept[r] = share;
  }
}
