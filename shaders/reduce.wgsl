// reduce: out[o, i] = Σᵣ x[o, r, i]  (or maxᵣ, minᵣ)
//
// x: (outer, reduced, inner)   out: (outer, inner)
// The operation is chosen by `operator_`, the index in REDUCE_OPERATORS. A NaN among the elements makes the result NaN.
//
// Work: consecutive outputs are consecutive threads; `lanes` threads (a power of two, at most 256) share one output, each
// taking every lanes-th element, and a fixed tree joins them. Few outputs get many lanes, many outputs get few.

override operator_: u32 = 0u;
override lanes: u32 = 256u;

const SUM = 0u;
const MAXIMUM = 1u;

struct Params {
  outer: u32,
  reduced: u32,
  inner: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

var<workgroup> partial: array<f32, 256>;

// On bits, because a compiler may assume that floats are finite.
fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn join(left: f32, right: f32) -> f32 {
  if (operator_ == SUM) {
    return left + right;
  }
  let best = select(min(left, right), max(left, right), operator_ == MAXIMUM);
  return select(select(best, right, isNan(right)), left, isNan(left));
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  let outputsPerWorkgroup = 256u / lanes;
  let output = (workgroup.y * workgroups.x + workgroup.x) * outputsPerWorkgroup + thread % outputsPerWorkgroup;
  let lane = thread / outputsPerWorkgroup;
  let outputs = params.outer * params.inner;

  if (output < outputs) {
    let start = (output / params.inner) * params.reduced * params.inner + output % params.inner;
    var value = 0.0;
    if (operator_ != SUM) {
      // Where there are fewer elements than lanes, the first is taken again, which changes no maximum or minimum.
      value = x[start + select(0u, lane, lane < params.reduced) * params.inner];
    }
    for (var r = lane; r < params.reduced; r += lanes) {
      value = join(value, x[start + r * params.inner]);
    }
    partial[thread] = value;
  }
  workgroupBarrier();
  // Sixteen to one at every level: 256 → 16 → 1, 64 → 4 → 1, 16 → 1, 4 → 1.
  var width = lanes;
  while (width > 1u) {
    let kept = max(width / 16u, 1u);
    if (lane < kept) {
      var value = partial[thread];
      for (var other = lane + kept; other < width; other += kept) {
        value = join(value, partial[thread + (other - lane) * outputsPerWorkgroup]);
      }
      partial[thread] = value;
    }
    workgroupBarrier();
    width = kept;
  }
  if (lane == 0u && output < outputs) {
    out[output] = partial[thread];
  }
}
