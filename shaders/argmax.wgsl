// argmax: out[o, i] = argmaxᵣ x[o, r, i]; the smallest index wins a tie
//
// x: (outer, reduced, inner)   out (i32): (outer, inner)
//
// Work: consecutive outputs are consecutive threads; `lanes` threads (a power of two, at most 256) share one output, each
// taking every lanes-th element, and a fixed tree joins them. Few outputs get many lanes, many outputs get few.

override lanes: u32 = 256u;

struct Params {
  outer: u32,
  reduced: u32,
  inner: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

var<workgroup> values: array<f32, 256>;
var<workgroup> places: array<u32, 256>;

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
    // Where there are fewer elements than lanes, the first is taken again, which changes no maximum.
    var place = select(0u, lane, lane < params.reduced);
    var value = x[start + place * params.inner];
    for (var r = lane + lanes; r < params.reduced; r += lanes) {
      let element = x[start + r * params.inner];
      if (element > value) {
        value = element;
        place = r;
      }
    }
    values[thread] = value;
    places[thread] = place;
  }
  workgroupBarrier();
  // Sixteen to one at every level: 256 → 16 → 1, 64 → 4 → 1, 16 → 1, 4 → 1.
  var width = lanes;
  while (width > 1u) {
    let kept = max(width / 16u, 1u);
    if (lane < kept) {
      var value = values[thread];
      var place = places[thread];
      for (var other = lane + kept; other < width; other += kept) {
        let at = thread + (other - lane) * outputsPerWorkgroup;
        if (values[at] > value || (values[at] == value && places[at] < place)) {
          value = values[at];
          place = places[at];
        }
      }
      values[thread] = value;
      places[thread] = place;
    }
    workgroupBarrier();
    width = kept;
  }
  if (lane == 0u && output < outputs) {
    out[output] = i32(places[thread]);
  }
}
