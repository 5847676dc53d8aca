// batchNormGradInput, with x̂ = (x − mean)/√(variance + ε) and M = batch·spatial:
//
//   batchStatistics:    dx = γ/√(variance + ε)·(dy − dβ/M − x̂·dγ/M)   (mean and variance depend on x)
//   fixed statistics:   dx = γ/√(variance + ε)·dy
//
// x, dy, dx: (batch, channels, spatial)   mean, variance, gamma, dGamma, dBeta: (channels)
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.

override batchStatistics: bool = true;

struct Params {
  batch: u32,
  channels: u32,
  spatial: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read> mean: array<f32>;
@group(0) @binding(4) var<storage, read> variance: array<f32>;
@group(0) @binding(5) var<storage, read> gamma: array<f32>;
@group(0) @binding(6) var<storage, read> dGamma: array<f32>;
@group(0) @binding(7) var<storage, read> dBeta: array<f32>;
@group(0) @binding(8) var<storage, read_write> dx: array<f32>;

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
    let deviation = sqrt(variance[c] + params.epsilon);
    var gradient = dy[i];
    if (batchStatistics) {
      let normalised = (x[i] - mean[c]) / deviation;
      gradient -= (dBeta[c] + normalised * dGamma[c]) / f32(params.batch * params.spatial);
    }
    dx[i] = gamma[c] / deviation * gradient;
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
