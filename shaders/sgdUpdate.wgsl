// sgdUpdate: one step of SGD (torch.optim.SGD) on a whole arena, in place
//
//   d = g + decay·w      v ← first ? d : momentum·v + (1 − dampening)·d      d ← nesterov ? d + momentum·v : v
//   w ← w − learningRate·scale·d
//
// weights w, gradients g, velocity v: (count)
// settings: (⌈count/64⌉, 2), per block of 64 elements (scale, decay). Scale 0 leaves the block untouched.
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.

override nesterov: bool = false;

struct Params {
  count: u32,
  learningRate: f32,
  momentum: f32,
  dampening: f32,
  isFirstStep: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<storage, read> gradients: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(4) var<storage, read> settings: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (workgroup.y * workgroups.x + workgroup.x) * 1024u;
  let end = min(start + 1024u, params.count);
  for (var i = start + lane; i < end; i += 256u) {
    let block = i / 64u;
    let scale = settings[2u * block];
    if (scale == 0.0) {
      continue;
    }
    let weight = weights[i];
    let direction = gradients[i] + settings[2u * block + 1u] * weight;
    var speed = direction;
    if (params.isFirstStep == 0u) {
      speed = params.momentum * velocity[i] + (1.0 - params.dampening) * direction;
    }
    velocity[i] = speed;
    let descent = select(speed, direction + params.momentum * speed, nesterov);
    weights[i] = weight - params.learningRate * scale * descent;
  }
}
