// batchNormApply: y = γ·(x − mean)/√(variance + ε) + β
//
// x, y: (batch, channels, spatial)   mean, variance, gamma, beta: (channels)
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.

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
  let start = (workgroup.y * workgroups.x + workgroup.x) * 1024u;
  let end = min(start + 1024u, params.batch * params.channels * params.spatial);
  // The channel c and the place s in it, carried along 256 elements at a time without a division.
  let cStep = (256u / params.spatial) % params.channels;
  let sStep = 256u % params.spatial;
  var c = ((start + lane) / params.spatial) % params.channels;
  var s = (start + lane) % params.spatial;
  for (var i = start + lane; i < end; i += 256u) {
    y[i] = gamma[c] * (x[i] - mean[c]) / sqrt(variance[c] + params.epsilon) + beta[c];
    c += cStep;
    s += sStep;
    if (s >= params.spatial) {
      s -= params.spatial;
      c += 1u;
    }
    if (c >= params.channels) {
      c -= params.channels;
    }
  }
}
