// batchNormStats: mean[c] = Σ x/M, variance[c] = Σ (x − mean)²/M, with M = batch·spatial
//
// x: (batch, channels, spatial)   mean, variance: (channels)
// Two passes over x: E[x²] − E[x]² would cancel where the mean is large against the deviation.
//
// Work: one workgroup of 256 threads per channel; each thread takes every 256th element of the channel, and a fixed tree of
// two levels (256 → 16 → 1) joins the sums.

struct Params {
  batch: u32,
  channels: u32,
  spatial: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> variance: array<f32>;

var<workgroup> partial: array<f32, 256>;
var<workgroup> sixteenths: array<f32, 16>;

// The sum of `value` over all threads, for all threads.
fn total(value: f32, lane: u32) -> f32 {
  partial[lane] = value;
  workgroupBarrier();
  if (lane < 16u) {
    var sum = 0.0;
    for (var other = lane; other < 256u; other += 16u) {
      sum += partial[other];
    }
    sixteenths[lane] = sum;
  }
  workgroupBarrier();
  var sum = 0.0;
  for (var other = 0u; other < 16u; other += 1u) {
    sum += sixteenths[other];
  }
  return sum;
}

// This thread's part of Σ (x − centre)^power, for power 1 or 2.
fn partOfSum(channel: u32, lane: u32, centre: f32, isSquared: bool) -> f32 {
  // Element m of the channel is at (n, s) = (m / spatial, m % spatial); 256 elements on without a division.
  let nStep = 256u / params.spatial;
  let sStep = 256u % params.spatial;
  var n = lane / params.spatial;
  var s = lane % params.spatial;
  var sum = 0.0;
  while (n < params.batch) {
    let moved = x[(n * params.channels + channel) * params.spatial + s] - centre;
    sum += select(moved, moved * moved, isSquared);
    n += nStep;
    s += sStep;
    if (s >= params.spatial) {
      s -= params.spatial;
      n += 1u;
    }
  }
  return sum;
}

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
  let count = f32(params.batch * params.spatial);
  let centre = total(partOfSum(channel, lane, 0.0, false), lane) / count;
  let squares = total(partOfSum(channel, lane, centre, true), lane);
  if (lane == 0u) {
    mean[channel] = centre;
    variance[channel] = squares / count;
  }
}
