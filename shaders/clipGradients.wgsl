// clipGradients: g ← g·min(1, maxNorm/(norm + 10⁻⁶)), in place (torch.nn.utils.clip_grad_norm_)
//
// gradients g: (count)   norm: (1)
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.

struct Params {
  count: u32,
  maxNorm: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> gradients: array<f32>;
@group(0) @binding(2) var<storage, read> norm: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (workgroup.y * workgroups.x + workgroup.x) * 1024u;
  let end = min(start + 1024u, params.count);
  let factor = min(1.0, params.maxNorm / (norm[0] + 1e-6));
  for (var i = start + lane; i < end; i += 256u) {
    gradients[i] *= factor;
  }
}
