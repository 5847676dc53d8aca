// batchNormDistances: distance[c] = |γ/√(σ² + ε) − γ⁰/√(σ₀² + ε)|
//
// weights γ, anchors γ⁰: (count)   variances σ², anchorVariances σ₀²: (varianceCount)
// table (i32): (channels, 2), per channel (place of γ, place of σ²)   distances: (channels)
//
// Work: one thread per channel, 256 to a workgroup; beyond 65,535 workgroups the grid is folded into x and y.

struct Params {
  count: u32,
  varianceCount: u32,
  channels: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> anchors: array<f32>;
@group(0) @binding(3) var<storage, read> variances: array<f32>;
@group(0) @binding(4) var<storage, read> anchorVariances: array<f32>;
@group(0) @binding(5) var<storage, read> table: array<i32>;
@group(0) @binding(6) var<storage, read_write> distances: array<f32>;

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
  let weight = table[2u * c];
  let variance = table[2u * c + 1u];
  let diagonal = weights[weight] / sqrt(variances[variance] + params.epsilon);
  let anchor = anchors[weight] / sqrt(anchorVariances[variance] + params.epsilon);
  distances[c] = abs(diagonal - anchor);
}
