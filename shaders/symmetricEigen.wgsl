// symmetricEigen: matrix = Vᵀ·diag(values)·V with orthonormal rows of V, by the parallel Jacobi method; matrix ends as the diagonal
//
// matrix, vectors V: (n, n)   values: (n)   n ≤ 512
//
//   t = sign(τ)/(|τ| + √(1 + τ²)), τ = (A_qq − A_pp)/(2A_pq), c = 1/√(1 + t²), s = t·c;   A ← JᵀAJ, rows of V ← Jᵀ(rows of V)
//
// Work: one workgroup of 256 threads does it all. In a round, n/2 disjoint pairs (p, q), those of a round-robin tournament, are rotated at
// once: the angles first, then all rows, then all columns, with a barrier after each.

struct Params {
  n: u32,
  sweeps: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> matrix: array<f32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> vectors: array<f32>;

const MOST_PAIRS = 256u;

struct Rotation {
  p: u32,
  q: u32,
  c: f32,
  s: f32,
}

var<workgroup> rotations: array<Rotation, MOST_PAIRS>;

fn player(place: u32, round: u32, players: u32) -> u32 {
  return select(1u + (place + round - 1u) % (players - 1u), 0u, place == 0u);
}

fn rotationOf(pair: u32, round: u32, players: u32) -> Rotation {
  let a = player(pair, round, players);
  let b = player(players - 1u - pair, round, players);
  let p = min(a, b);
  let q = max(a, b);
  let n = params.n;
  // Of an odd n one row rests in every round.
  if (q >= n) {
    return Rotation(0u, 0u, 1.0, 0.0);
  }
  let off = matrix[p * n + q];
  if (off == 0.0) {
    return Rotation(p, q, 1.0, 0.0);
  }
  let tau = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * off);
  let t = select(1.0, -1.0, tau < 0.0) / (abs(tau) + sqrt(1.0 + tau * tau));
  let c = 1.0 / sqrt(1.0 + t * t);
  return Rotation(p, q, c, t * c);
}

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  let n = params.n;
  let players = n + n % 2u;
  let pairs = players / 2u;
  for (var i = lane; i < n * n; i += 256u) {
    vectors[i] = select(0.0, 1.0, i / n == i % n);
  }
  storageBarrier();
  for (var sweep = 0u; sweep < params.sweeps; sweep += 1u) {
    for (var round = 0u; round + 1u < players; round += 1u) {
      for (var pair = lane; pair < pairs; pair += 256u) {
        rotations[pair] = rotationOf(pair, round, players);
      }
      workgroupBarrier();
      for (var i = lane; i < pairs * n; i += 256u) {
        let r = rotations[i / n];
        if (r.s != 0.0) {
          let j = i % n;
          let a = matrix[r.p * n + j];
          let b = matrix[r.q * n + j];
          matrix[r.p * n + j] = r.c * a - r.s * b;
          matrix[r.q * n + j] = r.s * a + r.c * b;
          let v = vectors[r.p * n + j];
          let w = vectors[r.q * n + j];
          vectors[r.p * n + j] = r.c * v - r.s * w;
          vectors[r.q * n + j] = r.s * v + r.c * w;
        }
      }
      storageBarrier();
      for (var i = lane; i < pairs * n; i += 256u) {
        let r = rotations[i / n];
        if (r.s != 0.0) {
          let row = (i % n) * n;
          let a = matrix[row + r.p];
          let b = matrix[row + r.q];
          matrix[row + r.p] = r.c * a - r.s * b;
          matrix[row + r.q] = r.s * a + r.c * b;
        }
      }
      storageBarrier();
      workgroupBarrier();
    }
  }
  for (var i = lane; i < n; i += 256u) {
    values[i] = matrix[i * n + i];
  }
}
