// learnRadii: γ ← clip(γ − rate·Adam(Σ_r dots[r]/norm[r]), least, max norm), per tensor
//
//   ftp     over all rows, with the norms of the step before; a positive derivative is scaled by anneal; on the first step γ = least
//   tpgm    over the rows with norm > γ, with the norms of now
//   start   γ = ½·min norm, moments zero
//
// dots, norms, previous, radii: (rowCount)   tensors (i32): (tensorCount, 2), per tensor (first row, rows)
// state: (tensorCount, 3), per tensor (γ, mean, square)   radii[r] ← γ, previous[r] ← norm[r] + least
//
// Work: one workgroup of 64 threads per tensor; each thread takes every 64th row, a fixed tree of two levels (64 → 8 → 1) joins
// the sums and extremes, the first thread takes the step, and all write it to their rows.

// ftp, tpgm, start
override mode: u32 = 0u;

const FTP = 0u;
const START = 2u;

struct Params {
  rowCount: u32,
  tensorCount: u32,
  isFirstStep: u32,
  rate: f32,
  beta1: f32,
  beta2: f32,
  share1: f32,
  share2: f32,
  correction1: f32,
  correction2: f32,
  anneal: f32,
  least: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dots: array<f32>;
@group(0) @binding(2) var<storage, read> norms: array<f32>;
@group(0) @binding(3) var<storage, read> tensors: array<i32>;
@group(0) @binding(4) var<storage, read_write> previous: array<f32>;
@group(0) @binding(5) var<storage, read_write> state: array<f32>;
@group(0) @binding(6) var<storage, read_write> radii: array<f32>;

struct Joined {
  gradient: f32,
  largest: f32,
  smallest: f32,
}

var<workgroup> partial: array<Joined, 64>;
var<workgroup> eighths: array<Joined, 8>;
var<workgroup> learned: f32;

fn joined(a: Joined, b: Joined) -> Joined {
  return Joined(a.gradient + b.gradient, max(a.largest, b.largest), min(a.smallest, b.smallest));
}

// The new radius of tensor l; its moments go into state.
fn nextRadius(l: u32, all: Joined) -> f32 {
  if (mode == START || (mode == FTP && params.isFirstStep != 0u)) {
    state[3u * l + 1u] = 0.0;
    state[3u * l + 2u] = 0.0;
    if (mode == FTP) {
      return params.least;
    }
    return min(max(all.smallest / 2.0, params.least), max(all.largest, params.least));
  }
  var gradient = all.gradient;
  if (mode == FTP && gradient > 0.0) {
    gradient *= params.anneal;
  }
  let mean = params.beta1 * state[3u * l + 1u] + params.share1 * gradient;
  let square = params.beta2 * state[3u * l + 2u] + params.share2 * gradient * gradient;
  state[3u * l + 1u] = mean;
  state[3u * l + 2u] = square;
  let step = params.rate * (mean / params.correction1) / (sqrt(square / params.correction2) + params.least);
  return max(min(state[3u * l] - step, all.largest), params.least);
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let l = workgroup.y * workgroups.x + workgroup.x;
  if (l >= params.tensorCount) {
    return;
  }
  let first = u32(tensors[2u * l]);
  let end = first + u32(tensors[2u * l + 1u]);
  let radius = state[3u * l];
  var own = Joined(0.0, 0.0, 3.4e38);
  for (var r = first + lane; r < end; r += 64u) {
    var slope = 0.0;
    if (mode == FTP) {
      slope = dots[r] / previous[r];
    } else if (norms[r] > radius) {
      slope = dots[r] / norms[r];
    }
    own = joined(own, Joined(slope, norms[r], norms[r]));
  }
  partial[lane] = own;
  workgroupBarrier();
  if (lane < 8u) {
    for (var other = lane + 8u; other < 64u; other += 8u) {
      own = joined(own, partial[other]);
    }
    eighths[lane] = own;
  }
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < 8u; other += 1u) {
      own = joined(own, eighths[other]);
    }
    learned = nextRadius(l, own);
    state[3u * l] = learned;
  }
  workgroupBarrier();
  for (var r = first + lane; r < end; r += 64u) {
    radii[r] = learned;
    previous[r] = norms[r] + params.least;
  }
}
