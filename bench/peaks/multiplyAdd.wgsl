// Eight independent chains of four floats in registers; no memory but one result per thread.
//
//   s ← s·x + y      a multiplication and an addition, which a GPU fuses
//
// 2·4·8·iterations floating-point operations per thread.

override iterations: u32 = 1024;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let start = vec4<f32>(f32(id.x) * 1e-6, 0.25, 0.5, 0.75);
  let x = vec4<f32>(0.5, 0.5, 0.5, 0.5 + start.x);
  let y = vec4<f32>(0.25, 0.25, 0.25, 0.25 + start.x);
  var s0 = start;
  var s1 = start + 0.1;
  var s2 = start + 0.2;
  var s3 = start + 0.3;
  var s4 = start + 0.4;
  var s5 = start + 0.5;
  var s6 = start + 0.6;
  var s7 = start + 0.7;
  for (var i = 0u; i < iterations; i++) {
    s0 = s0 * x + y;
    s1 = s1 * x + y;
    s2 = s2 * x + y;
    s3 = s3 * x + y;
    s4 = s4 * x + y;
    s5 = s5 * x + y;
    s6 = s6 * x + y;
    s7 = s7 * x + y;
  }
  let sum = ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
  out[id.x] = sum.x + sum.y + sum.z + sum.w;
}
