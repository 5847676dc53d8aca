// binary: out[i] = f(a[i], b[i]), with broadcasting
//
// out: contiguous, shape[0 … rank), count elements
// a, b: as out; or, with `broadcast`, element (i₀, i₁, …) is at Σ iₖ·strides[k], where stride 0 repeats.
// f is chosen by `operator_`, the index in BINARY_OPERATORS.
//
// Work: a workgroup of 256 threads takes 1024 elements, each thread four of them, 256 apart; beyond 65,535 workgroups the
// grid is folded into x and y.

override operator_: u32 = 0u;
override broadcast: bool = false;

const ADD = 0u;
const SUBTRACT = 1u;
const MULTIPLY = 2u;
const DIVIDE = 3u;
const MAXIMUM = 4u;
const MINIMUM = 5u;
const POWER = 6u;
const EQUAL = 7u;
const NOT_EQUAL = 8u;
const LESS = 9u;
const LESS_EQUAL = 10u;
const GREATER = 11u;
const GREATER_EQUAL = 12u;
const RELU_GRAD = 13u;

struct Params {
  count: u32,
  rank: u32,
  shape: array<vec4<u32>, 2>,
  aStrides: array<vec4<u32>, 2>,
  bStrides: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// On bits, because a compiler may assume that floats are finite.
fn isNan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// NaN if either is.
fn larger(left: f32, right: f32) -> f32 {
  return select(select(max(left, right), right, isNan(right)), left, isNan(left));
}

fn smaller(left: f32, right: f32) -> f32 {
  return select(select(min(left, right), right, isNan(right)), left, isNan(left));
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

fn apply(left: f32, right: f32) -> f32 {
  switch (operator_) {
    case ADD: { return left + right; }
    case SUBTRACT: { return left - right; }
    case MULTIPLY: { return left * right; }
    case DIVIDE: { return left / right; }
    case MAXIMUM: { return larger(left, right); }
    case MINIMUM: { return smaller(left, right); }
    case POWER: { return power(left, right); }
    case EQUAL: { return select(0.0, 1.0, left == right); }
    case NOT_EQUAL: { return select(0.0, 1.0, left != right); }
    case LESS: { return select(0.0, 1.0, left < right); }
    case LESS_EQUAL: { return select(0.0, 1.0, left <= right); }
    case GREATER: { return select(0.0, 1.0, left > right); }
    case GREATER_EQUAL: { return select(0.0, 1.0, left >= right); }
    case RELU_GRAD: { return select(0.0, left, right > 0.0); }
    default: { return left; }
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
    var aAt = i;
    var bAt = i;
    if (broadcast) {
      aAt = 0u;
      bAt = 0u;
      var rest = i;
      for (var k = params.rank; k > 0u; k -= 1u) {
        let axis = k - 1u;
        let length = params.shape[axis / 4u][axis % 4u];
        let index = rest % length;
        rest /= length;
        aAt += index * params.aStrides[axis / 4u][axis % 4u];
        bAt += index * params.bStrides[axis / 4u][axis % 4u];
      }
    }
    out[i] = apply(a[aAt], b[bAt]);
  }
}
