// batchNormRunning: running ← (1 − momentum)·running + momentum·(mean, correction·variance), in place
//
// mean, variance, runningMean, runningVariance: (channels)
//
// Work: one thread per channel, 256 to a workgroup; beyond 65,535 workgroups the grid is folded into x and y.

struct Params {
  channels: u32,
  momentum: f32,
  correction: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> variance: array<f32>;
@group(0) @binding(3) var<storage, read_write> runningMean: array<f32>;
@group(0) @binding(4) var<storage, read_write> runningVariance: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = (workgroup.y * workgroups.x + workgroup.x) * 256u + lane;
  if (c >= params.channels) {
    return;
  }
  let kept = 1.0 - params.momentum;
  runningMean[c] = kept * runningMean[c] + params.momentum * mean[c];
  runningVariance[c] = kept * runningVariance[c] + params.momentum * params.correction * variance[c];
}
