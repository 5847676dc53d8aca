// symmetricEigen: A = Vᵀ·diag(values)·V with V·Vᵀ = 1, values ascending, by Jacobi's rotations
//
// matrix A: (n, n), symmetric, becomes diag(values)   values: (n)   vectors V: (n, n), row i belongs to values[i], its element of largest
// magnitude positive   n ≤ 512
//
// Work: one workgroup of 256 threads. A sweep visits every pair of rows once, in rounds of n/2 pairs that have no row in common (the
// circle method of a tournament: one player stays, the others move on by one place). In a round
//   1. thread i finds pair i's rotation and applies it to the four elements where the pair meets itself;
//   2. all threads apply JᵀAJ to the 2×2 blocks where pair i meets pair j > i, and copy them to where j meets i; and to pairs of rows of V.
// Blocks are disjoint, so nothing is read after it was overwritten. Sweeps end when a whole one had nothing left to rotate.

struct Params {
  n: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> vectors: array<f32>;

const THREADS = 256u;
const LARGEST_SIZE = 512u;
const MOST_SWEEPS = 30u;
const ROUNDING_ERROR = 5.9604645e-8;

struct Pair {
  p: u32,
  // Not below n: p has no partner in this round.
  q: u32,
  s: f32,
  // s/(1 + c)
  tau: f32,
}

var<workgroup> pairs: array<Pair, 256>;
var<workgroup> partial: array<f32, 256>;
var<workgroup> joined: f32;
var<workgroup> places: array<u32, 512>;
var<workgroup> diagonal: array<f32, 512>;

// The largest of all threads' numbers.
fn largest(own: f32, lane: u32) -> f32 {
  partial[lane] = own;
  workgroupBarrier();
  if (lane < 16u) {
    var most = own;
    for (var other = lane + 16u; other < THREADS; other += 16u) {
      most = max(most, partial[other]);
    }
    partial[lane] = most;
  }
  workgroupBarrier();
  if (lane == 0u) {
    var most = partial[0];
    for (var other = 1u; other < 16u; other += 1u) {
      most = max(most, partial[other]);
    }
    joined = most;
  }
  return workgroupUniformLoad(&joined);
}

// Pair i of a round among m players, m even.
fn pairOf(i: u32, round: u32, m: u32) -> vec2<u32> {
  let circle = m - 1u;
  let p = (round + i) % circle;
  let q = select((round + circle - i) % circle, circle, i == 0u);
  return vec2(p, q);
}

fn rotated(x: vec2<f32>, pair: Pair) -> vec2<f32> {
  return vec2(x.x - pair.s * (x.y + pair.tau * x.x), x.y + pair.s * (x.x - pair.tau * x.y));
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  let n = params.n;
  let half = (n + 1u) / 2u;
  let m = 2u * half;
  var own = 0.0;
  for (var i = lane; i < n * n; i += THREADS) {
    own = max(own, abs(matrix[i]));
    vectors[i] = select(0.0, 1.0, i % (n + 1u) == 0u);
  }
  let least = ROUNDING_ERROR * largest(own, lane);

  for (var sweep = 0u; sweep < MOST_SWEEPS; sweep += 1u) {
    var turned = 0.0;
    for (var round = 0u; round + 1u < m; round += 1u) {
      storageBarrier();
      workgroupBarrier();
      if (lane < half) {
        let players = pairOf(lane, round, m);
        var pair = Pair(players.x, players.y, 0.0, 0.0);
        if (pair.q < n) {
          let between = matrix[pair.p * n + pair.q];
          if (abs(between) > least) {
            let atP = matrix[pair.p * n + pair.p];
            let atQ = matrix[pair.q * n + pair.q];
            let theta = (atQ - atP) / (2.0 * between);
            let t = select(1.0, -1.0, theta < 0.0) / (abs(theta) + sqrt(theta * theta + 1.0));
            let c = 1.0 / sqrt(t * t + 1.0);
            pair.s = t * c;
            pair.tau = pair.s / (1.0 + c);
            matrix[pair.p * n + pair.p] = atP - t * between;
            matrix[pair.q * n + pair.q] = atQ + t * between;
            matrix[pair.p * n + pair.q] = 0.0;
            matrix[pair.q * n + pair.p] = 0.0;
            turned = 1.0;
          }
        }
        pairs[lane] = pair;
      }
      workgroupBarrier();
      for (var block = lane; block < half * half; block += THREADS) {
        let one = pairs[block / half];
        let other = pairs[block % half];
        if (block / half < block % half && (one.s != 0.0 || other.s != 0.0)) {
          rotateBlock(one, other, n);
        }
      }
      for (var i = lane; i < half * n; i += THREADS) {
        let pair = pairs[i / n];
        if (pair.s != 0.0) {
          let at = vec2(pair.p, pair.q) * n + i % n;
          let turnedRows = rotated(vec2(vectors[at.x], vectors[at.y]), pair);
          vectors[at.x] = turnedRows.x;
          vectors[at.y] = turnedRows.y;
        }
      }
    }
    if (largest(turned, lane) == 0.0) {
      break;
    }
  }
  storageBarrier();
  workgroupBarrier();
  finish(lane, n);
}

// Where pair `one` meets pair `other`: (p, p′), (p, q′); (q, p′), (q, q′). What a pair without a partner lacks counts as zero.
fn rotateBlock(one: Pair, other: Pair, n: u32) {
  let hasOne = one.q < n;
  let hasOther = other.q < n;
  var upper = vec2(matrix[one.p * n + other.p], 0.0);
  var lower = vec2(0.0, 0.0);
  if (hasOther) {
    upper.y = matrix[one.p * n + other.q];
  }
  if (hasOne) {
    lower.x = matrix[one.q * n + other.p];
  }
  if (hasOne && hasOther) {
    lower.y = matrix[one.q * n + other.q];
  }
  upper = rotated(upper, other);
  lower = rotated(lower, other);
  let left = rotated(vec2(upper.x, lower.x), one);
  let right = rotated(vec2(upper.y, lower.y), one);
  store(one.p, other.p, left.x, n);
  if (hasOther) {
    store(one.p, other.q, right.x, n);
  }
  if (hasOne) {
    store(one.q, other.p, left.y, n);
  }
  if (hasOne && hasOther) {
    store(one.q, other.q, right.y, n);
  }
}

fn store(row: u32, column: u32, value: f32, n: u32) {
  matrix[row * n + column] = value;
  matrix[column * n + row] = value;
}

// Sorts, and turns vectors upright: rows of `vectors` go by way of `matrix`, which is needed no more.
fn finish(lane: u32, n: u32) {
  for (var i = lane; i < n; i += THREADS) {
    diagonal[i] = matrix[i * n + i];
  }
  storageBarrier();
  workgroupBarrier();
  for (var i = lane; i < n; i += THREADS) {
    var before = 0u;
    for (var j = 0u; j < n; j += 1u) {
      let isBefore = diagonal[j] < diagonal[i] || (!(diagonal[i] < diagonal[j]) && j < i);
      before += select(0u, 1u, isBefore);
    }
    places[i] = before;
    var furthest = 0.0;
    for (var j = 0u; j < n; j += 1u) {
      let element = vectors[i * n + j];
      furthest = select(furthest, element, abs(element) > abs(furthest));
    }
    let direction = select(1.0, -1.0, furthest < 0.0);
    for (var j = 0u; j < n; j += 1u) {
      matrix[before * n + j] = direction * vectors[i * n + j];
    }
  }
  storageBarrier();
  workgroupBarrier();
  for (var i = lane; i < n * n; i += THREADS) {
    vectors[i] = matrix[i];
  }
  storageBarrier();
  workgroupBarrier();
  for (var i = lane; i < n * n; i += THREADS) {
    matrix[i] = 0.0;
  }
  storageBarrier();
  workgroupBarrier();
  for (var i = lane; i < n; i += THREADS) {
    values[places[i]] = diagonal[i];
    matrix[places[i] * n + places[i]] = diagonal[i];
  }
}
