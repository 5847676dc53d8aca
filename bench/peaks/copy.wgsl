// out[i] = x[i], sixteen bytes a thread and step; a grid of any size walks the whole array.

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  for (var i = id.x; i < arrayLength(&x); i += 256u * groups.x) {
    out[i] = x[i];
  }
}
