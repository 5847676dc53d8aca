// averageWeights: a ← a + share·(w − a), in place: the exponential moving average of weights
//
// average a, weights w: (count)
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.

struct Params {
  count: u32,
  share: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> average: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (workgroup.y * workgroups.x + workgroup.x) * 1024u;
  let end = min(start + 1024u, params.count);
  for (var i = start + lane; i < end; i += 256u) {
    average[i] += params.share * (weights[i] - average[i]);
  }
}
