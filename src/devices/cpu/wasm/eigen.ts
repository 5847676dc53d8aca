/** Jacobi's method for symmetric matrices: see the kernel's definition. One task: a rotation needs the result of the one before. */

@unmanaged
class EigenParams {
  matrix: usize;
  values: usize;
  vectors: usize;
  n: u32;
}

const MOST_SWEEPS: u32 = 30;
const ROUNDING_ERROR: f32 = 5.9604645e-8;

/** row p ← row p − s·(row q + τ·row p), row q ← row q + s·(row p − τ·row q), of n floats each. */
function rotateRows(p: usize, q: usize, n: u32, s: f32, tau: f32): void {
  const sine = f32x4.splat(s);
  const slope = f32x4.splat(tau);
  const end = p + n * 4;
  for (; p + 16 <= end; p += 16, q += 16) {
    const a = v128.load(p);
    const b = v128.load(q);
    v128.store(p, f32x4.sub(a, f32x4.mul(sine, f32x4.add(b, f32x4.mul(slope, a)))));
    v128.store(q, f32x4.add(b, f32x4.mul(sine, f32x4.sub(a, f32x4.mul(slope, b)))));
  }
  for (; p < end; p += 4, q += 4) {
    const a = load<f32>(p);
    const b = load<f32>(q);
    store<f32>(p, a - s * (b + tau * a));
    store<f32>(q, b + s * (a - tau * b));
  }
}

/** The largest magnitude of n floats. */
function largestMagnitude(x: usize, n: u32): f32 {
  let most: f32 = 0;
  for (let i: u32 = 0; i < n; i++) most = max<f32>(most, abs<f32>(load<f32>(x + i * 4)));
  return most;
}

/** A ← JᵀAJ with A_pq = 0. Rows are rotated; columns are the rows again, but for the four elements where p and q meet. */
function rotate(matrix: usize, vectors: usize, n: u32, p: u32, q: u32): void {
  const rowP = matrix + p * n * 4;
  const rowQ = matrix + q * n * 4;
  const atP = load<f32>(rowP + p * 4);
  const atQ = load<f32>(rowQ + q * 4);
  const common = load<f32>(rowP + q * 4);
  const theta: f32 = (atQ - atP) / (2 * common);
  const t: f32 = (theta < 0 ? -1 : 1) / (abs<f32>(theta) + sqrt<f32>(theta * theta + 1));
  const c: f32 = 1 / sqrt<f32>(t * t + 1);
  const tau: f32 = (t * c) / (1 + c);
  rotateRows(rowP, rowQ, n, t * c, tau);
  store<f32>(rowP + p * 4, atP - t * common);
  store<f32>(rowQ + q * 4, atQ + t * common);
  store<f32>(rowP + q * 4, 0);
  store<f32>(rowQ + p * 4, 0);
  for (let i: u32 = 0; i < n; i++) {
    store<f32>(matrix + (i * n + p) * 4, load<f32>(rowP + i * 4));
    store<f32>(matrix + (i * n + q) * 4, load<f32>(rowQ + i * 4));
  }
  rotateRows(vectors + p * n * 4, vectors + q * n * 4, n, t * c, tau);
}

/** Brings values into order, each with its vector. */
function sort(values: usize, vectors: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    let least = i;
    for (let j = i + 1; j < n; j++) if (load<f32>(values + j * 4) < load<f32>(values + least * 4)) least = j;
    if (least == i) continue;
    swap(values + i * 4, values + least * 4, 1);
    swap(vectors + i * n * 4, vectors + least * n * 4, n);
  }
}

function swap(x: usize, y: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const own = load<f32>(x + i * 4);
    store<f32>(x + i * 4, load<f32>(y + i * 4));
    store<f32>(y + i * 4, own);
  }
}

/** Of v and −v the one whose largest element is positive. */
function turnUpright(v: usize, n: u32): void {
  let largest: f32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const element = load<f32>(v + i * 4);
    if (abs<f32>(element) > abs<f32>(largest)) largest = element;
  }
  if (!(largest < 0)) return;
  for (let i: u32 = 0; i < n; i++) store<f32>(v + i * 4, -load<f32>(v + i * 4));
}

export function symmetricEigen(at: usize): void {
  const x = changetype<EigenParams>(at);
  const n = x.n;
  memory.fill(x.vectors, 0, n * n * 4);
  for (let i: u32 = 0; i < n; i++) store<f32>(x.vectors + i * (n + 1) * 4, 1);
  const least: f32 = ROUNDING_ERROR * largestMagnitude(x.matrix, n * n);
  let rotated = true;
  for (let sweep: u32 = 0; rotated && sweep < MOST_SWEEPS; sweep++) {
    rotated = false;
    for (let p: u32 = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (!(abs<f32>(load<f32>(x.matrix + (p * n + q) * 4)) > least)) continue;
        rotate(x.matrix, x.vectors, n, p, q);
        rotated = true;
      }
    }
  }
  for (let i: u32 = 0; i < n; i++) store<f32>(x.values + i * 4, load<f32>(x.matrix + i * (n + 1) * 4));
  sort(x.values, x.vectors, n);
  memory.fill(x.matrix, 0, n * n * 4);
  for (let i: u32 = 0; i < n; i++) {
    store<f32>(x.matrix + i * (n + 1) * 4, load<f32>(x.values + i * 4));
    turnUpright(x.vectors + i * n * 4, n);
  }
}
