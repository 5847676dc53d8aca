// projectRowsL1: w ← w⁰ + sign(t)·max(|t| − θ − δ, 0), t = w − w⁰, over every row r with norm[r] > radius[r], in place; θ + δ make Σ|t| = radius[r]
//
// weights w, anchors w⁰: (count)   rows (i32): (rowCount, 2), per row (first element, length)   norms, radii: (rowCount)
// The Euclidean projection onto the L1 ball (Duchi, Shalev-Shwartz, Singer & Chandra 2008); norms come from rowDistances.
//
// θ ← θ + δ, δ = (Σ(|t| − θ) − radius)/n over the n elements with |t| > θ, until none drops out (Michelot 1986). n falls in every round
// but the last, whose δ is subtracted after θ: what θ's rounding loses would count n times.
//
// Work: one workgroup of 64 threads per row. In each round a thread sums every 64th element, and a fixed tree of two levels
// (64 → 8 → 1) joins sums and counts. All threads agree on n and θ, so they leave the loop together.

struct Params {
  count: u32,
  rowCount: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<storage, read> anchors: array<f32>;
@group(0) @binding(3) var<storage, read> rows: array<i32>;
@group(0) @binding(4) var<storage, read> norms: array<f32>;
@group(0) @binding(5) var<storage, read> radii: array<f32>;

struct Active {
  // Of |t| − θ.
  sum: f32,
  count: u32,
}

var<workgroup> partial: array<Active, 64>;
var<workgroup> eighths: array<Active, 8>;
var<workgroup> whole: Active;

fn plus(a: Active, b: Active) -> Active {
  return Active(a.sum + b.sum, a.count + b.count);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = workgroup.y * workgroups.x + workgroup.x;
  if (row >= params.rowCount) {
    return;
  }
  // The test is the same for the whole workgroup, but the compiler cannot know: rows inside their ball are empty ones.
  let isOutside = norms[row] > radii[row];
  let start = u32(rows[2u * row]);
  let end = start + select(0u, u32(rows[2u * row + 1u]), isOutside);
  var theta = 0.0;
  var delta = 0.0;
  var before = 0xffffffffu;
  loop {
    var own = Active(0.0, 0u);
    for (var i = start + lane; i < end; i += 64u) {
      let excess = abs(weights[i] - anchors[i]) - theta;
      if (excess > 0.0) {
        own = Active(own.sum + excess, own.count + 1u);
      }
    }
    partial[lane] = own;
    workgroupBarrier();
    if (lane < 8u) {
      for (var other = lane + 8u; other < 64u; other += 8u) {
        own = plus(own, partial[other]);
      }
      eighths[lane] = own;
    }
    workgroupBarrier();
    if (lane == 0u) {
      for (var other = 1u; other < 8u; other += 1u) {
        own = plus(own, eighths[other]);
      }
      whole = own;
    }
    let now = workgroupUniformLoad(&whole);
    delta = select((now.sum - radii[row]) / f32(now.count), 0.0, now.count == 0u);
    if (now.count == 0u || now.count >= before) {
      break;
    }
    before = now.count;
    theta += max(0.0, delta);
  }
  for (var i = start + lane; i < end; i += 64u) {
    let moved = weights[i] - anchors[i];
    weights[i] = anchors[i] + sign(moved) * max(abs(moved) - theta - delta, 0.0);
  }
}
