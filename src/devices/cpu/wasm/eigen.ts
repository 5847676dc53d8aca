/** Eigenvalues of a small symmetric matrix by Jacobi's method: see the kernel's definition. One task does it all. */

@unmanaged
class EigenParams {
  matrix: usize;
  values: usize;
  vectors: usize;
  n: u32;
  sweeps: u32;
  /** (pairs, 4): p, q, c, s of the round. */
  rotations: usize;
}

@inline
function at(matrix: usize, n: u32, row: u32, column: u32): usize {
  return matrix + (row * n + column) * 4;
}

@inline
function player(place: u32, round: u32, players: u32): u32 {
  return place == 0 ? 0 : 1 + ((place - 1 + round) % (players - 1));
}

function rotateRows(target: usize, n: u32, p: u32, q: u32, c: f32, s: f32): void {
  let a = at(target, n, p, 0);
  let b = at(target, n, q, 0);
  for (let j: u32 = 0; j < n; j++, a += 4, b += 4) {
    const x = load<f32>(a);
    const y = load<f32>(b);
    store<f32>(a, c * x - s * y);
    store<f32>(b, s * x + c * y);
  }
}

function rotateColumns(target: usize, n: u32, p: u32, q: u32, c: f32, s: f32): void {
  let a = at(target, n, 0, p);
  let b = at(target, n, 0, q);
  for (let i: u32 = 0; i < n; i++, a += n * 4, b += n * 4) {
    const x = load<f32>(a);
    const y = load<f32>(b);
    store<f32>(a, c * x - s * y);
    store<f32>(b, s * x + c * y);
  }
}

function findRotation(p: EigenParams, pair: u32, round: u32, players: u32): void {
  const first = player(pair, round, players);
  const second = player(players - 1 - pair, round, players);
  const row = min<u32>(first, second);
  const column = max<u32>(first, second);
  const rotation = p.rotations + pair * 16;
  store<u32>(rotation, row);
  store<u32>(rotation, column, 4);
  store<f32>(rotation, 1, 8);
  store<f32>(rotation, 0, 12);
  if (column >= p.n) return;
  const off = load<f32>(at(p.matrix, p.n, row, column)) as f64;
  if (off == 0) return;
  const ends = (load<f32>(at(p.matrix, p.n, column, column)) as f64) - (load<f32>(at(p.matrix, p.n, row, row)) as f64);
  const tau = ends / (2 * off);
  const t: f64 = (tau < 0 ? -1.0 : 1.0) / (abs<f64>(tau) + sqrt<f64>(1 + tau * tau));
  const c: f64 = 1 / sqrt<f64>(1 + t * t);
  store<f32>(rotation, c as f32, 8);
  store<f32>(rotation, (t * c) as f32, 12);
}

export function symmetricEigen(params: usize): void {
  const p = changetype<EigenParams>(params);
  const n = p.n;
  const players = n + (n % 2);
  const pairs = players / 2;
  memory.fill(p.vectors, 0, n * n * 4);
  for (let i: u32 = 0; i < n; i++) store<f32>(at(p.vectors, n, i, i), 1);
  for (let sweep: u32 = 0; sweep < p.sweeps; sweep++) {
    for (let round: u32 = 0; round + 1 < players; round++) {
      for (let pair: u32 = 0; pair < pairs; pair++) findRotation(p, pair, round, players);
      for (let part = 0; part < 3; part++) {
        for (let pair: u32 = 0; pair < pairs; pair++) {
          const rotation = p.rotations + pair * 16;
          const s = load<f32>(rotation, 12);
          if (s == 0) continue;
          const row = load<u32>(rotation);
          const column = load<u32>(rotation, 4);
          const c = load<f32>(rotation, 8);
          if (part == 1) rotateColumns(p.matrix, n, row, column, c, s);
          else rotateRows(part == 0 ? p.matrix : p.vectors, n, row, column, c, s);
        }
      }
    }
  }
  for (let i: u32 = 0; i < n; i++) store<f32>(p.values + i * 4, load<f32>(at(p.matrix, n, i, i)));
}
