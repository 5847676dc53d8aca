// toFloat: out[i] = float(x[i])
//
// x (i32), out (f32): (count)
//
// Work: one thread per element, 256 to a workgroup; beyond 65,535 workgroups the grid is folded into x and y.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (workgroup.y * workgroups.x + workgroup.x) * 256u + lane;
  if (i < params.count) {
    out[i] = f32(x[i]);
  }
}
