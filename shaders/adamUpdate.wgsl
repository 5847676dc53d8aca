// adamUpdate: one step of Adam, AMSGrad or AdamW on a whole arena, in place
//
//   d = decoupled ? g : g + decay·w      w ← decoupled ? w − learningRate·scale·decay·w : w
//   m ← β₁·m + share₁·d      v ← β₂·v + share₂·d²      u = amsgrad ? (v̂ ← max(v̂, v)) : v
//   w ← w − stepSize·scale·m/(√u + ε)
//
// weights w, gradients g, mean m, square v: (count)   largest v̂: (count) with amsgrad, else not looked at
// settings: (⌈count/64⌉, 2), per block of 64 elements (scale, decay). Scale 0 leaves the block untouched.
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.

override amsgrad: bool = false;
override decoupled: bool = false;

struct Params {
  count: u32,
  learningRate: f32,
  stepSize: f32,
  beta1: f32,
  beta2: f32,
  share1: f32,
  share2: f32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<storage, read> gradients: array<f32>;
@group(0) @binding(3) var<storage, read_write> mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> square: array<f32>;
@group(0) @binding(5) var<storage, read_write> largest: array<f32>;
@group(0) @binding(6) var<storage, read> settings: array<f32>;

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
    let decay = settings[2u * block + 1u];
    var weight = weights[i];
    var direction = gradients[i];
    if (decoupled) {
      weight -= params.learningRate * scale * decay * weight;
    } else {
      direction += decay * weight;
    }
    let m = params.beta1 * mean[i] + params.share1 * direction;
    let v = params.beta2 * square[i] + params.share2 * direction * direction;
    mean[i] = m;
    square[i] = v;
    var u = v;
    if (amsgrad) {
      u = max(largest[i], v);
      largest[i] = u;
    }
    weights[i] = weight - params.stepSize * scale * m / (sqrt(u) + params.epsilon);
  }
}
