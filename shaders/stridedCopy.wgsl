// stridedCopy: out[outOffset + Σ iₖ·outStrides[k]] = x[xOffset + Σ iₖ·xStrides[k]] for every (i₀, i₁, …) of shape
//
// shape[0 … rank), count elements in all; strides may be negative or, in x, zero. Elements of out outside the block stay.
// Floats are moved as floats; no arithmetic touches them.
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.

struct Params {
  count: u32,
  rank: u32,
  xOffset: u32,
  outOffset: u32,
  shape: array<vec4<u32>, 2>,
  xStrides: array<vec4<i32>, 2>,
  outStrides: array<vec4<i32>, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (workgroup.y * workgroups.x + workgroup.x) * 1024u;
  let end = min(start + 1024u, params.count);
  for (var i = start + lane; i < end; i += 256u) {
    var source = i32(params.xOffset);
    var place = i32(params.outOffset);
    var rest = i;
    for (var k = params.rank; k > 0u; k -= 1u) {
      let axis = k - 1u;
      let length = params.shape[axis / 4u][axis % 4u];
      let index = i32(rest % length);
      rest /= length;
      source += index * params.xStrides[axis / 4u][axis % 4u];
      place += index * params.outStrides[axis / 4u][axis % 4u];
    }
    out[u32(place)] = x[u32(source)];
  }
}
