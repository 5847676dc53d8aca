// Sixteen independent chains in registers; no memory but one result per thread.
//
//   s ← s·x + y      a multiplication and an addition, which a GPU fuses
//
// 2·16·8·iterations floating-point operations per thread. Eight steps are written out: counting to `iterations` would
// otherwise take more time than the arithmetic where a loop of many threads is costly (software adapters).

override iterations: u32 = 128;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let start = f32(id.x) * 1e-6;
  let x = 0.5 + start;
  let row = vec4<f32>(0.1, 0.2, 0.3, 0.4) + start;
  let y = mat4x4<f32>(row, row + 0.4, row + 0.8, row + 1.2);
  var s = y;
  for (var i = 0u; i < iterations; i++) {
    s = s * x + y;
    s = s * x + y;
    s = s * x + y;
    s = s * x + y;
    s = s * x + y;
    s = s * x + y;
    s = s * x + y;
    s = s * x + y;
  }
  let sum = s * vec4<f32>(1.0);
  out[id.x] = sum.x + sum.y + sum.z + sum.w;
}
