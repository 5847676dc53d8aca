// batchNormApply: y = γ·(x − mean)/√(variance + ε) + β
//
// x, y: (batch, channels, spatial)   mean, variance, gamma, beta: (channels)
//
// Work: one thread per element, 256 to a workgroup; beyond 65,535 workgroups the grid is folded into x and y.

struct Params {
  batch: u32,
  channels: u32,
  spatial: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> variance: array<f32>;
@group(0) @binding(4) var<storage, read> gamma: array<f32>;
@group(0) @binding(5) var<storage, read> beta: array<f32>;
@group(0) @binding(6) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let i = (workgroup.y * workgroups.x + workgroup.x) * 256u + lane;
  if (i >= params.batch * params.channels * params.spatial) {
    return;
  }
  let c = (i / params.spatial) % params.channels;
  y[i] = gamma[c] * (x[i] - mean[c]) / sqrt(variance[c] + params.epsilon) + beta[c];
}
