// unary: out[i] = f(x[i])
//
// x, out: (count)
// f is chosen by `operator_`, the index in UNARY_OPERATORS; alpha and beta belong to affine, power, clamp and inRange.
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.
//
// NaN goes through relu and clamp as in the reference. That is decided on bits: a compiler may assume that floats are
// finite, so neither x == x nor the NaN behaviour of max and min can be relied on.

override operator_: u32 = 0u;

const NEGATE = 0u;
const ABS = 1u;
const SIGN = 2u;
const SQUARE = 3u;
const SQRT = 4u;
const RSQRT = 5u;
const RECIPROCAL = 6u;
const EXP = 7u;
const LOG = 8u;
const SIN = 9u;
const COS = 10u;
const TANH = 11u;
const SIGMOID = 12u;
const RELU = 13u;
const AFFINE = 14u;
const POWER = 15u;
const CLAMP = 16u;
const IN_RANGE = 17u;

struct Params {
  count: u32,
  alpha: f32,
  beta: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// −∞ ≤ value ≤ −0, and not NaN.
fn isNegative(value: f32) -> bool {
  let bits = bitcast<u32>(value);
  return bits >= 0x80000000u && bits <= 0xff800000u;
}

// sin(value + quarterTurns·π/2): what is left after whole quarter turns (π/2 in three parts, Cody & Waite 1980) lies in
// [−π/4, π/4], where Cephes' polynomials apply. Within 2e-7 up to ±2000; WGSL promises its own sin to 2⁻¹¹ only.
fn sine(value: f32, quarterTurns: u32) -> f32 {
  let turns = round(value * 0.636619772);
  let angle = ((value - turns * 1.5703125) - turns * 4.837512969970703125e-4) - turns * 7.54978995489188216e-8;
  let z = angle * angle;
  let sinus = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * angle + angle;
  let cosinus = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
  let quadrant = u32(i32(turns)) + quarterTurns;
  let magnitude = select(sinus, cosinus, (quadrant & 1u) == 1u);
  return select(magnitude, -magnitude, (quadrant & 2u) == 2u);
}

// 1/(1 + e^−v), with an exponential that cannot overflow.
fn sigmoid(value: f32) -> f32 {
  let e = exp(-abs(value));
  return select(e, 1.0, value >= 0.0) / (1.0 + e);
}

// tanh is 1 in float32 beyond 10, where some implementations divide infinity by infinity.
fn boundedTanh(value: f32) -> f32 {
  return select(tanh(clamp(value, -10.0, 10.0)), value, isNan(value));
}

fn clampOrNan(value: f32) -> f32 {
  let clamped = select(min(value, params.beta), params.alpha, value < params.alpha);
  return select(clamped, value, isNan(value));
}

// base^exponent; WGSL's pow knows only positive bases.
fn power(base: f32, exponent: f32) -> f32 {
  if (exponent == 0.0) {
    return 1.0;
  }
  if (base == 0.0) {
    return select(0.0, 1.0 / abs(base), exponent < 0.0);
  }
  let magnitude = pow(abs(base), exponent);
  if (base > 0.0) {
    return magnitude;
  }
  if (exponent != floor(exponent)) {
    return bitcast<f32>(0x7fc00000u | params.count);
  }
  let isOdd = exponent - 2.0 * floor(exponent * 0.5) == 1.0;
  return select(magnitude, -magnitude, isOdd);
}

fn apply(value: f32) -> f32 {
  switch (operator_) {
    case NEGATE: { return -value; }
    case ABS: { return abs(value); }
    case SIGN: { return sign(value); }
    case SQUARE: { return value * value; }
    case SQRT: { return sqrt(value); }
    case RSQRT: { return inverseSqrt(value); }
    case RECIPROCAL: { return 1.0 / value; }
    case EXP: { return exp(value); }
    case LOG: { return log(value); }
    case SIN: { return sine(value, 0u); }
    case COS: { return sine(value, 1u); }
    case TANH: { return boundedTanh(value); }
    case SIGMOID: { return sigmoid(value); }
    case RELU: { return select(value, 0.0, isNegative(value)); }
    case AFFINE: { return params.alpha * value + params.beta; }
    case POWER: { return power(value, params.alpha); }
    case CLAMP: { return clampOrNan(value); }
    case IN_RANGE: { return select(0.0, 1.0, value >= params.alpha && value <= params.beta); }
    default: { return value; }
  }
}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let start = (workgroup.y * workgroups.x + workgroup.x) * 1024u;
  let end = min(start + 1024u, params.count);
  for (var i = start + lane; i < end; i += 256u) {
    out[i] = apply(x[i]);
  }
}
