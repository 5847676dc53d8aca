// firstNonFinite: index[0] = min { i : x[i] is NaN or ±∞ }, or −1
//
// x: (count)   index: (1)
// An element is not finite when all bits of its exponent are ones. Bits are tested because a compiler may assume that
// floats are finite.
//
// Work: one workgroup; each of 256 threads looks at every 256th element and stops at its first find, then a tree takes the
// smallest index.

struct Params {
  count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> index: array<i32>;

const NONE = 0xffffffffu;

var<workgroup> firsts: array<u32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
  var first = NONE;
  for (var i = lane; i < params.count; i += 256u) {
    if ((bitcast<u32>(x[i]) & 0x7f800000u) == 0x7f800000u) {
      first = i;
      break;
    }
  }
  firsts[lane] = first;
  workgroupBarrier();
  if (lane < 16u) {
    for (var other = lane + 16u; other < 256u; other += 16u) {
      first = min(first, firsts[other]);
    }
    firsts[lane] = first;
  }
  workgroupBarrier();
  if (lane == 0u) {
    for (var other = 1u; other < 16u; other += 1u) {
      first = min(first, firsts[other]);
    }
    // NONE is −1 in two's complement.
    index[0] = bitcast<i32>(first);
  }
}
