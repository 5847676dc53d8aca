// batchNormGradParams: dγ[c] = Σ dy·x̂, dβ[c] = Σ dy, with x̂ = (x − mean)/√(variance + ε)
//
// x, dy: (batch, channels, spatial)   mean, variance, dGamma, dBeta: (channels)
//
// Work: one workgroup of 256 threads per channel; each thread takes every 256th element of the channel, and a fixed tree of
// two levels (256 → 16 → 1) joins both sums at once.

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
@group(0) @binding(5) var<storage, read_write> dGamma: array<f32>;
@group(0) @binding(6) var<storage, read_write> dBeta: array<f32>;

// (Σ dy·(x − mean), Σ dy)
var<workgroup> partial: array<vec2<f32>, 256>;
var<workgroup> sixteenths: array<vec2<f32>, 16>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let channel = workgroup.y * workgroups.x + workgroup.x;
  if (channel >= params.channels) {
    return;
  }
  let centre = mean[channel];
  // Element m of the channel is at (n, s) = (m / spatial, m % spatial); 256 elements on without a division.
  let nStep = 256u / params.spatial;
  let sStep = 256u % params.spatial;
  var n = lane / params.spatial;
  var s = lane % params.spatial;
  var sums = vec2<f32>(0.0);
  while (n < params.batch) {
    let at = (n * params.channels + channel) * params.spatial + s;
    sums += dy[at] * vec2<f32>(x[at] - centre, 1.0);
    n += nStep;
    s += sStep;
    if (s >= params.spatial) {
      s -= params.spatial;
      n += 1u;
    }
  }
  partial[lane] = sums;
  workgroupBarrier();
  if (lane < 16u) {
    for (var other = lane + 16u; other < 256u; other += 16u) {
      sums += partial[other];
    }
    sixteenths[lane] = sums;
  }
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < 16u; other += 1u) {
      sums += sixteenths[other];
    }
    dGamma[channel] = sums.x / sqrt(variance[channel] + params.epsilon);
    dBeta[channel] = sums.y;
  }
}
